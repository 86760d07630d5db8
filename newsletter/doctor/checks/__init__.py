"""The checks of doctor: each function asks the database one question, answered by queries instead of row by row."""
