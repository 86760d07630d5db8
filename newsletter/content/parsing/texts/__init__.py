"""An entry's words: unescaped, sanitized, without boilerplate, cut to a title and an excerpt."""
