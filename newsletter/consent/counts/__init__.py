"""Counts of readers and of sign-ups."""
