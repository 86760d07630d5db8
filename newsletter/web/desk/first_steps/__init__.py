"""First steps: an empty desk leads through newsletter, feed, digest and test letter. Each can be left and continued.

A step is left over as long as what it adds is missing (`today.steps`); nothing else is stored.
"""
