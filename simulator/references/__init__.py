"""The judges: equilibria, adjoints and the gradient path. They share the market's economy and never see a tick."""
