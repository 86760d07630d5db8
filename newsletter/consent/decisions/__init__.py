"""Decisions: withdrawals, refusals and moves to another address, and why readers left."""
