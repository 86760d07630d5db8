"""The queues of jobs: how to wake the workers of one, and when a worker last ran its jobs."""
