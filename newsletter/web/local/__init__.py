"""Pages for requests from this machine only."""
