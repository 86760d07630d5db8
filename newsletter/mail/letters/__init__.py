"""How a letter is made: templates, MIME, mail merge."""
