"""Find and check the pictures that an entry offers."""
