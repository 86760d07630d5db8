"""The names of months and of the parts of a day in the languages of CLDR, Unicode's locale data, which Babel brings."""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import takewhile
from typing import Any

from babel import Locale, UnknownLocaleError, localedata

from newsletter.content.parsing.dates.date_text import key

LANGUAGE_TAG = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8}){0,3}", re.IGNORECASE)
# All languages: one locale for each and one for each script, and the regions whose months have names of their own.
LANGUAGE_OR_SCRIPT = re.compile(r"[a-z]{2,3}(_[A-Z][a-z]{3})?")
REGIONS_WITH_NAMES = ("ar_DZ", "ar_MA", "ar_MR", "ar_SY", "bn_IN", "de_AT", "fr_CA", "oc_ES", "sr_Cyrl_ME")
LOCALES_AT_ONCE = 20  # Babel keeps what it has read: 150 MB for all
MONTH_FIRST = re.compile("M+.d+.y+")
DIGIT = re.compile(r"\d")
# What WordPress writes in these languages, and CLDR lacks.
OTHER_MONTHS = {"mrz": 3, "rgp": 8, "rgs": 9, "ян": 1, "दिसम्बर": 12}
MIN_PREFIX = 3
MIN_LATIN_NAME = 3  # letters of a name in any language: “de” is one, and a word of others
# CLDR's parts of a day, in which hours are counted to 12. Hours of the night lie on both sides of midnight.
PERIODS = {
    **dict.fromkeys(("am", "midnight", "morning"), "am"),
    **dict.fromkeys(("pm", "noon", "afternoon", "evening"), "pm"),
    "night": "night",
}
MAX_ENDING = 3
JOINED_PREPOSITIONS = "\u05d1\u0712"  # Hebrew and Syriac join “in” to the month


@dataclass(frozen=True, kw_only=True)
class DateNames:
    """Names by their `date_text.key`: `months` are numbers, `periods` parts of a day (am, pm or night).

    `wide` are the names of months in full, sorted. `is_month_first` says that 04/05/2026 is in April.
    """

    months: Mapping[str, int]
    wide: Sequence[str]
    periods: Mapping[str, str]
    is_month_first: bool = False

    def month_like(self, word: str) -> int | None:
        """Return the only month whose full name begins with this word, else the month that the word inflects."""
        if len(word) < MIN_PREFIX:
            return None
        if word[0] in JOINED_PREPOSITIONS and (month := self.months.get(word[1:])):
            return month
        longer = takewhile(lambda name: name.startswith(word), self.wide[bisect_left(self.wide, word) :])
        found = {self.months.get(name) for name in longer}
        if len(found) == 1:
            return found.pop()
        stems = (self.months.get(word[:-cut]) for cut in range(1, MAX_ENDING + 1) if len(word) - cut > MIN_PREFIX)
        return next(filter(None, stems), None)


def near(language: str) -> list[DateNames]:
    """Return the names of a language (BCP 47), then the English ones, which programs write into feeds of any."""
    return [names for names in (of_language(language), of_language("en")) if names]


@lru_cache(maxsize=8)
def of_language(language: str) -> DateNames | None:
    """Return the names of a language (BCP 47), in its region's form; None for a language that CLDR lacks."""
    subtags = language.replace("_", "-").split("-") if LANGUAGE_TAG.fullmatch(language) else []
    for tag in dict.fromkeys(["-".join(subtags), *subtags[:1]]):
        try:
            locale = Locale.parse(tag, sep="-")
            is_month_first = MONTH_FIRST.match(locale.date_formats["short"].pattern) is not None
            return _names([locale], is_month_first=is_month_first)
        except (ValueError, UnknownLocaleError):
            continue
    return None


@cache
def of_all_languages() -> DateNames:
    """Return the names of all languages. A name of several months is the one that most languages mean, if any is.

    The first call takes a second of processor time.
    """
    known = localedata.locale_identifiers()
    chosen = sorted(name for name in known if LANGUAGE_OR_SCRIPT.fullmatch(name) or name in REGIONS_WITH_NAMES)
    names = _names(_read(chosen))
    localedata.clear_caches()
    months = {name: month for name, month in names.months.items() if len(name) >= MIN_LATIN_NAME or not name.isascii()}
    return replace(names, months=OTHER_MONTHS | months)


def _read(names: Sequence[str]) -> Iterator[Locale]:
    for at, name in enumerate(names):
        if at % LOCALES_AT_ONCE == 0:
            localedata.clear_caches()
        yield Locale.parse(name)


def _names(locales: Iterable[Locale], *, is_month_first: bool = False) -> DateNames:
    months: dict[str, Counter[int]] = defaultdict(Counter)
    periods: dict[str, Counter[str]] = defaultdict(Counter)
    wide = set()
    for locale in locales:
        for name, month in set(_named(locale.months, "wide", "abbreviated")):
            months[name][month] += 1
        for name, period in set(_named(locale.day_periods, "wide", "abbreviated")):
            periods[name][PERIODS[period.rstrip("12")]] += 1
        wide |= {name for name, _ in _named(locale.months, "wide")}
    return DateNames(
        months={name: month for name, counts in months.items() if (month := _most(counts))},
        wide=sorted(wide),
        periods={name: period for name, counts in periods.items() if (period := _most(counts))},
        is_month_first=is_month_first,
    )


def _named(contexts: Any, *widths: str) -> Iterator[tuple[str, Any]]:
    """Yield the key and the value of each name, whether it stands alone or within a date."""
    for context in ("format", "stand-alone"):
        for width in widths:
            for value, name in contexts.get(context, {}).get(width, {}).items():
                if not DIGIT.search(name) and (word := key(name)):  # “thg 11” and “11月” are read as numbers
                    yield word, value


def _most(counts: Counter[Any]) -> Any:
    """Return the value that was counted most often; None if two were."""
    first, *others = counts.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]
