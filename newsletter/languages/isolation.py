"""Isolate values whose script runs against the direction of the text around them (Unicode Standard Annex 9, FSI, PDI).

Without it a Hebrew name moves the punctuation of the English sentence that holds it, and a web address in an Arabic
sentence ends up in pieces. The two characters are invisible and, unlike <bdi>, work in attributes, subjects and plain
text as well.
"""

from unicodedata import bidirectional

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
STRONG = {"L": "ltr", "R": "rtl", "AL": "rtl"}
EXPLICIT = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def isolated(text: str, direction: str) -> str:
    """Return the text isolated, if it may disturb a text of this direction (ltr or rtl); else unchanged."""
    classes = {bidirectional(character) for character in text}
    if not classes & EXPLICIT and all(STRONG.get(each, direction) == direction for each in classes):
        return text
    return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"
