"""A small mail reader for the outbox, where no mail server is set: on this machine only."""

