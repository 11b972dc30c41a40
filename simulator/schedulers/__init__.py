"""What moves prices: a file for each scheduler, and the table of them."""
