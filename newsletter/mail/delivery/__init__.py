"""One delivery's life: queued, claimed under a lease, sent, recorded."""
