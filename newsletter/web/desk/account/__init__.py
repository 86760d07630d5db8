"""One's own account: name, time zone, password, second factor, and where one is signed in."""
