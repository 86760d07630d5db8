"""newsletter demo: the whole service, from sign-up to unsubscribe, played on real parts."""
