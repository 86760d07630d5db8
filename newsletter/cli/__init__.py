"""The `newsletter` command: a module for each part of it, put together in app.py."""
