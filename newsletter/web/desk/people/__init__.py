"""The pages of operators: who works here, with which roles, and their links. For administrators of all newsletters."""
