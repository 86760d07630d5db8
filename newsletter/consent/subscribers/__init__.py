"""Subscribers: who reads what, what readers choose for themselves, and who must not be written to."""
