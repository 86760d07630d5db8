"""Everything about one person, across all rooms: what is forgotten, when, and what proof stays."""
