"""The pages that the law asks for: what they say by themselves, and how a publisher's own text is read."""
