"""Check that the stored rows agree, repair derived data, count rows, and check the sender's domains."""
