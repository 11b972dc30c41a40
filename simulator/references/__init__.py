"""The judges: equilibria, adjoints and the gradient path. They share the economy with the market and never see a tick."""
