"""Newsletters at the desk: their fields, their words of consent, and the domains that they send from."""
