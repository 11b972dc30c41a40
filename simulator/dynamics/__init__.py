"""What happens in a tick: agents plan, trade and produce, and prices move."""
