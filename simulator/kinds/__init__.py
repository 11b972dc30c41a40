"""What a scenario names by kind: utilities, technologies, distributions, each one class that builds what it means."""
