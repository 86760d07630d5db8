"""From the bytes of a feed to entries with safe HTML."""
