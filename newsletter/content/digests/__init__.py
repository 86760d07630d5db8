"""Digests: rules that turn articles into issues on a schedule."""
