"""Formulas: arithmetic in names, read into a graph of operations, with exact derivatives and proofs of concavity."""
