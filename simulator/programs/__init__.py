"""Programs as supply chains, and supply chains as programs: every value a good, every operation a firm."""
