"""Copies of the articles' lead pictures."""
