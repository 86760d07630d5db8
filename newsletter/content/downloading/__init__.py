"""Download feeds and pictures of untrusted servers within limits."""
