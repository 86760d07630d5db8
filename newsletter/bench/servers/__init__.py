"""Temporary PostgreSQL, Redis and smtp-sink servers on this machine, and checks of given servers."""
