"""Delete personal data when its time is over, and keep the proof of consent that remains."""
