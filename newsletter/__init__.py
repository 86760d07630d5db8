"""A self-hosted newsletter service: provable consent, feed digests, a row per letter."""
