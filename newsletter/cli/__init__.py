"""The `newsletter` command: one module for each subcommand; app.py joins them."""
