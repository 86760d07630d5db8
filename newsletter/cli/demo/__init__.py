"""newsletter demo: run the whole service once, from sign-up to unsubscribe."""
