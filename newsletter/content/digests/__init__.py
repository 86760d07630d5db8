"""Digests: schedules and rules that turn articles into issues."""
