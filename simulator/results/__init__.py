"""What a run writes down and what is drawn and told from it."""
