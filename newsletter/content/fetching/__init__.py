"""One guarded HTTP GET of an address that a stranger chose."""
