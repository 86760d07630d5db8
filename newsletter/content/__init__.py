"""Feeds, articles, digests and issues."""
