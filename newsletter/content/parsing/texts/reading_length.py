"""Measure how much there is to read in a text, in words, also where a script writes no spaces between them."""

import re
from itertools import islice

HAN_AND_KANA = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # about two characters a word
THAI_LAO_BURMESE_KHMER = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # about five
# A word of an alphabet takes as long to read as two if it is very long, as addresses and some compounds are.
WORD = re.compile(
    rf"[{HAN_AND_KANA}]{{1,2}}|[{THAI_LAO_BURMESE_KHMER}]{{1,5}}"
    rf"|[^\s{HAN_AND_KANA}{THAI_LAO_BURMESE_KHMER}]{{1,20}}"
)


def words(text: str) -> int:
    """Return how many words the text has, or as many as take as long to read."""
    return sum(1 for _ in WORD.finditer(text))


def beginning(text: str, number: int) -> int:
    """Return where the first so many words end; the length of the text if it has no more."""
    following = list(islice(WORD.finditer(text), number - 1, number + 1))
    return following[0].end() if len(following) == 2 else len(text)
