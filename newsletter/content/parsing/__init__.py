"""Turn the bytes of a feed into entries with safe HTML."""
