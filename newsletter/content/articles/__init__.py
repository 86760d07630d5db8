"""Articles: recognized, stored, edited and withdrawn."""
