"""Consent that can be proved: the words shown, who asked, what was answered, and what follows from it today."""
