"""Language tags (BCP 47): their form, the direction of their script, and the choice among several (RFC 4647)."""

import re
from collections.abc import Iterable, Sequence

TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")  # the common forms
MAX_CHARACTERS = 35  # of a stored tag: RFC 5646 section 4.4.1

# By the script that a language is written in unless its tag says otherwise: az-Arab, ur-Latn.
RIGHT_TO_LEFT = frozenset(
    {"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"}
)
RIGHT_TO_LEFT_SCRIPTS = frozenset({"adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"})


def canonical(tag: str) -> str:
    """Return a tag as it is customarily written (RFC 5646 section 2.1.1): pt-BR, zh-Hant. No letter's case matters."""
    first, *others = tag.lower().split("-")
    return "-".join([first, *(_customary(part) for part in others)])


def _customary(subtag: str) -> str:
    match len(subtag):
        case 2:
            return subtag.upper()  # a region
        case 4 if subtag.isalpha():
            return subtag.title()  # a script
    return subtag


def direction(tag: str) -> str:
    """Return the direction of a language, rtl or ltr, for HTML's lang and dir attributes."""
    language, _, rest = tag.lower().partition("-")
    script = rest.partition("-")[0]
    is_script = len(script) == 4 and script.isalpha()
    return "rtl" if (script in RIGHT_TO_LEFT_SCRIPTS if is_script else language in RIGHT_TO_LEFT) else "ltr"


def primary(tag: str) -> str:
    """Return the language of a tag without script, region and variants."""
    return tag.lower().partition("-")[0]


def lookup(ranges: Iterable[str], available: Sequence[str]) -> str | None:
    """Return the available tag that suits the wanted ones best, by RFC 4647 section 3.4; None if none does.

    `ranges` are wanted tags, the most wanted first. Each is shortened from its end until it is available: de-CH finds
    de. A wanted de also finds de-AT, if only that is available.
    """
    known = {tag.lower(): tag for tag in reversed(available)}
    for wanted in map(str.lower, ranges):
        parts = wanted.split("-")
        while parts:
            if found := known.get("-".join(parts)):
                return found
            parts.pop()
            if parts and len(parts[-1]) == 1:  # a singleton, such as the x of zh-x-private, says nothing alone
                parts.pop()
        if found := next((tag for tag in available if primary(tag) == primary(wanted)), None):
            return found
    return None
