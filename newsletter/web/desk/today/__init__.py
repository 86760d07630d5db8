"""Today: what leaves, what waits for somebody, what is wrong, and how readers and letters have developed."""
