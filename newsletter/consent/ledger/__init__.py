"""The ledger of consent, its hashes and seals, and the standings derived from it."""
