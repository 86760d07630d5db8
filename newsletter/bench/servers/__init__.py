"""PostgreSQL, Redis and Postfix's sink, started on this machine for as long as somebody needs them."""
