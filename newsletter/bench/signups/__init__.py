"""The benchmark of sign-ups.

benchmark      the whole run: which measurements, in which order
visitors       who signs up, from where
load           the load generator, a process of its own
service        the site's processes, and the load generator as seen from the benchmark
bare_insert    the route to compare the site with
measures       the figures of one measurement
report         the figures as text
"""
