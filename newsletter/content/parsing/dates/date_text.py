"""Normalize the text of a date: digits, letters and signs of all scripts to their plain forms."""

import re
import unicodedata

# A word is what digits, spaces and punctuation leave; the vowel signs of Indic scripts, which \w lacks, belong to it.
WORD = r"[^\s\d!-/:-@\[-`{-~\u2010-\u2015\u2018-\u201f\u2212\u060c\u061b\u3001\u3002\u30fb\xab\xbb]+"
WORDS = re.compile(WORD)
WORDS_AND_NUMBERS = re.compile(rf"\d+|{WORD}")
ACCENTS = re.compile("[\u0300-\u036f\u0653-\u0655]")
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
DIGIT = re.compile(r"(?![0-9])\d")
# The dotless i, yeh and kaf as Arabic and as Persian keyboards write them, the minus sign, the Arabic fraction sign.
VARIANTS = str.maketrans("\u0131\u064a\u0649\u0643\u2212\u066b", "i\u06cc\u06cc\u06a9-.")


def normalize(text: str) -> str:
    """Return the text in lower case, with ASCII digits, without accents and without invisible characters."""
    if text.isascii():
        return text.lower().strip()
    decomposed = unicodedata.normalize("NFKD", INVISIBLE.sub("", text.casefold()))
    composed = unicodedata.normalize("NFC", ACCENTS.sub("", decomposed)).translate(VARIANTS)
    return DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), composed).strip()


def words(text: str) -> list[str]:
    """Return the words of a normalized text, without numbers and punctuation."""
    return WORDS.findall(text)


def words_and_numbers(text: str) -> list[str]:
    """Return the words and the numbers of a normalized text, without punctuation."""
    return WORDS_AND_NUMBERS.findall(text)


def key(name: str) -> str:
    """Return the form in which a name is looked up: normalized, its words joined, so that “p. m.” equals “pm”."""
    return "".join(words(normalize(name)))
