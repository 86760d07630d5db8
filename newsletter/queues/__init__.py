"""The queues of work: waking the workers of one, and when one was last worked on."""
