"""Provable consent: the wording shown, sign-ups, decisions, the ledger of events, and the standing derived from it."""
