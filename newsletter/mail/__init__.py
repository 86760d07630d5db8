"""Letters, and how each delivery of one comes to exactly one final state."""
