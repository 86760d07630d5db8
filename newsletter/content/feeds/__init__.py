"""Feeds: added, changed, asked and recorded."""
