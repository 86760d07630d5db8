"""The desk: the operators' pages under /desk."""
