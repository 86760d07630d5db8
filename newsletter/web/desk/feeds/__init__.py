"""Feeds at the desk: how each stands, and how to add, change, pause and remove one."""
