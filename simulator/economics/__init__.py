"""What a textbook knows: pure functions of prices and quantities."""
