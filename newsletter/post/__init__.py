"""Letters, and what it takes to get each of them to its reader exactly once."""
