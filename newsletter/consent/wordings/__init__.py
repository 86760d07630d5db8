"""Wordings: the words of consent, their publication, and the forms that show them."""
