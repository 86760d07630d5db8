"""The commands `newsletter newsletters` and `newsletter forms`."""
