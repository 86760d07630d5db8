"""Feeds, articles, pictures, digests and issues."""
