"""Shorten plain text at the end of a sentence or of a word."""

import unicodedata

from newsletter.content.parsing.texts import reading_length, sentences

MIN_SENTENCE = 6  # characters of a first sentence: "Oh." alone makes no title
JOINER = "\u200d"  # joins two emoji to one
SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")


def excerpt(text: str, limit: int) -> str:
    """Return at most `limit` characters: whole sentences if they fill half of the limit, else whole words and "…"."""
    if len(text) <= limit:
        return text
    last = max(sentences.ends(text, limit), default=0)
    return text[:last] if last > limit // 2 else _cut_off(text, limit - 1)


def excerpt_in_words(text: str, most: int, *, least: int) -> str:
    """Return at most `most` words: whole sentences if these have `least` or more, else whole words and "…"."""
    end = reading_length.beginning(text, most)
    if end == len(text):
        return text
    last = max(sentences.ends(text, end), default=0)
    return text[:last] if last >= reading_length.beginning(text, least) else _cut_off(text, end)


def first_sentence(text: str, limit: int, *, cut: int) -> str:
    """Return the first sentence that is no mere exclamation, with what precedes it.

    Of one that is longer than the limit, the first words, at most `cut` characters, and "…".
    """
    end = next((end for end in sentences.ends(text, limit) if end >= MIN_SENTENCE), 0)
    return text[:end] or (text if len(text) <= limit else excerpt(text, cut))


def _cut_off(text: str, at: int) -> str:
    """Return the words that end before the position or there, with "…"."""
    words, _, _ = text[: at + 1].rpartition(" ")
    # Chinese has no spaces to cut at.
    kept = words if len(words) > (at + 1) // 2 else text[: _between_characters(text, at)]
    return kept.rstrip(" ,;:.-\u2013\u2014\u2026") + "…"


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
