"""Isolate values whose script runs against the direction of the text around them (Unicode Standard Annex 9, FSI, PDI).

Without it a Hebrew name moves the punctuation of the English sentence that holds it, and a web address in an Arabic
sentence ends up in pieces. The two characters are invisible and, unlike <bdi>, work in attributes, subjects and plain
text as well.
"""

from unicodedata import bidirectional

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
STRONG = {"L": "ltr", "R": "rtl", "AL": "rtl"}
ISOLATES = {"LRI", "RLI", "FSI"}
EMBEDDINGS = {"LRE", "RLE", "LRO", "RLO", "PDF"}  # which end with the isolate around them


def isolated(text: str, direction: str) -> str:
    """Return the text isolated, if it may disturb a text of this direction (ltr or rtl); else unchanged."""
    if not disturbs(text, direction):
        return text
    return f"{FIRST_STRONG_ISOLATE}{_balanced(text)}{POP_ISOLATE}"


def disturbs(text: str, direction: str) -> bool:
    """Return whether the text holds anything outside of isolates that may reorder a text of this direction."""
    if direction == "ltr" and text.isascii():  # most values, and each reader's name in each letter is one
        return False
    depth = 0
    for character in text:
        kind = bidirectional(character)
        if kind in ISOLATES:
            depth += 1
        elif kind == "PDI":
            depth -= 1
        elif not depth and (kind in EMBEDDINGS or STRONG.get(kind, direction) != direction):
            return True
        if depth < 0:
            return True
    return depth > 0


def _balanced(text: str) -> str:
    """Return the text without isolates that never end, and without ends of isolates that never began."""
    kept: list[str] = []
    opened: list[int] = []
    for character in text:
        kind = bidirectional(character)
        if kind == "PDI" and not opened:
            continue
        if kind == "PDI":
            opened.pop()
        elif kind in ISOLATES:
            opened.append(len(kept))
        kept.append(character)
    return "".join(character for place, character in enumerate(kept) if place not in opened)
