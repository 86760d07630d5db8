"""The benchmark: servers of its own, yardsticks, and what each process costs."""
