"""Whole numbers in paths, queries and forms, such as ids: ASCII digits, and no more than a database's number has."""

ID_DIGITS = 18


def parse(text: str, *, digits: int = ID_DIGITS) -> int | None:
    """Return the number that a text is; None for any other text, and for one of more than `digits` digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
