"""Sent issues on the web: archive, feeds, and articles kept for later."""
