"""Digests at the desk: their schedules in plain words, what the next issue would hold, and how to change them."""
