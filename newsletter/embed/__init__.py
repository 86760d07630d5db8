"""The script that shows the sign-up box on the publisher's page, with its style."""
