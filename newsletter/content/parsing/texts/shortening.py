"""Shorten plain text at the end of a sentence or of a word."""

import unicodedata

from newsletter.content.parsing.texts import reading_length, sentences

MIN_SENTENCE = 6  # characters of a first sentence: "Oh." alone makes no title
JOINER = "\u200d"  # joins two emoji to one
SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")


def excerpt(text: str, limit: int, *, least: int | None = None) -> str:
    """Return at most `limit` characters: whole sentences if these are more than `least`, else whole words and "…".

    `least` is half of the limit by default.
    """
    if len(text) <= limit:
        return text
    last = max(sentences.ends(text, limit), default=0)
    if last > (limit // 2 if least is None else least):
        return text[:last]
    words, _, _ = text[:limit].rpartition(" ")
    # Chinese has no spaces to cut at.
    kept = words if len(words) > limit // 2 else text[: _between_characters(text, limit - 1)]
    return kept.rstrip(" ,;:.-\u2013\u2014\u2026") + "…"


def excerpt_in_words(text: str, most: int, *, least: int) -> str:
    """Return at most `most` words: whole sentences if these have `least` or more, else whole words and "…"."""
    end = reading_length.beginning(text, most)
    return text if end == len(text) else excerpt(text, end + 1, least=reading_length.beginning(text, least) - 1)


def first_sentence(text: str, limit: int) -> str:
    """Return the first sentence that is no mere exclamation, with what precedes it; shortened if it is too long."""
    end = next((end for end in sentences.ends(text, limit) if end >= MIN_SENTENCE), 0)
    return text[:end] or excerpt(text, limit)


def _between_characters(text: str, at: int) -> int:
    """Return the last position up to `at` that separates no letter from its accents and no emoji from its parts."""
    start = at
    while start > 1 and at - start < MIN_SENTENCE and _continues(text[start - 1], text[start]):
        start -= 1
    return start


def _continues(before: str, after: str) -> bool:
    return (
        unicodedata.category(after).startswith("M")
        or JOINER in (before, after)
        or SKIN_TONES[0] <= after <= SKIN_TONES[1]
    )
