"""The sign-up box on the publisher's page: its form, and what it tells after a sign-up."""
