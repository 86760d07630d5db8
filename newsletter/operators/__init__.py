"""Operators: who may use the desk, what each may do there, and how they prove who they are."""
