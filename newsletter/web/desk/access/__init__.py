"""The pages through which operators come in: signing in and out, invitations, resets and the second factor."""
