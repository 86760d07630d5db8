"""Fetch an untrusted URL with one guarded HTTP GET."""
