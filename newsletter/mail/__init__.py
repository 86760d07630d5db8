"""Letters, and what it takes to deliver each of them exactly once."""
