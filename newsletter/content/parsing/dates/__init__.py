"""Read the dates that feeds write."""
