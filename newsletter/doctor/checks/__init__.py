"""What doctor looks at: one question to the books in each function, answered by the database and not row by row."""
