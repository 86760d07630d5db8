"""Pages that only this machine may see."""
