"""Many runs, and parameters from data: sweeps, sensitivity, fits, and scenarios under other people's tools."""
