"""The documentation, and what keeps it true: `python -m docs.generate` fills in what code and runs can tell."""
