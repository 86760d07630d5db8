"""A language: its fixed words, and how it writes dates, times, numbers and lists."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from gettext import NullTranslations
from typing import Any, Protocol, runtime_checkable

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_compact_decimal, format_decimal
from markupsafe import Markup

from newsletter.languages import catalogues, pseudo, tags
from newsletter.languages.isolation import disturbs, isolated
from newsletter.languages.translatable import Translatable, translatable

# CLDR writes a comma after the weekday and puts the month first; without a region, English here is neither.
DATE_PATTERNS = {"en": "EEEE d MMMM y"}
FORMATS = {"en": "en_GB", pseudo.TAG: pseudo.FORMATS}


@runtime_checkable
class InWords(Protocol):
    """Something that each language tells in its own way, such as a schedule."""

    def in_words(self, spoken: "Language") -> str:
        """Return it in whole sentences of the language."""


class Language:
    """The words and formats of a language. Texts of catalogues are English where a translation is missing."""

    def __init__(self, tag: str, translations: NullTranslations) -> None:
        self.tag = tag  # BCP 47, for HTML's lang attribute
        self.direction = tags.direction(tag)
        self._translations = translations
        self._locale = _locale(tag)

    def gettext(self, text: str) -> str:
        """Return the translation of a text, with its placeholders."""
        return self._translations.gettext(text)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return the translation in the form that the number needs."""
        return self._translations.ngettext(singular, plural, n)

    def pgettext(self, context: str, text: str) -> str:
        """Return the translation of a text that means something else in another context."""
        return self._translations.pgettext(context, text)

    def npgettext(self, context: str, singular: str, plural: str, n: int) -> str:
        """Return the translation in the form that the number needs, in a context."""
        return self._translations.npgettext(context, singular, plural, n)

    def text(self, told: "Translatable | InWords | str") -> str:
        """Return a message in this language, its values written as the language writes them; a str is unchanged."""
        if isinstance(told, str):
            return told
        if isinstance(told, InWords):
            return told.in_words(self)
        if told.plural is None:
            text = self.gettext(told.singular)
        else:
            text = self.ngettext(told.singular, told.plural, told.values["n"])
        return text % self.values(told.values)

    def translates(self, told: Translatable) -> bool:
        """Return whether the catalogue has a text of its own for this message."""
        if told.plural is None:
            return self.gettext(told.singular) != told.singular
        return self.ngettext(told.singular, told.plural, 1) != told.singular

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values as they are inserted into a text: numbers formatted, texts against its direction isolated."""
        return {name: self._value(value) for name, value in values.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Translatable | InWords):
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.number(value)
        if isinstance(value, str):
            visible = value.striptags() if isinstance(value, Markup) else value  # its tags are no Latin words
            return type(value)(isolated(value, self.direction)) if disturbs(visible, self.direction) else value
        return value

    def number(self, number: int) -> str:
        """Return a number, grouped as the language does."""
        return format_decimal(number, locale=self._locale)

    def at_least(self, number: int) -> str:
        """Return a round number that something reaches, in the language's short form if it has one: "10k+"."""
        short = format_compact_decimal(number, locale=self._locale)
        return f"{self.number(number) if short == str(number) else short}+"

    def listed(self, names: Iterable[str]) -> str:
        """Return names as in a sentence: "A, B and C"."""
        inserted = [isolated(name, self.direction) for name in names]
        return format_list(inserted, locale=self._locale)

    def weekday(self, number: int) -> str:
        """Return the name of a weekday, Monday as 0, in the form in which it stands alone."""
        return str(self._locale.days["stand-alone"]["wide"][number])

    def month(self, number: int) -> str:
        """Return the name of a month, January as 1, in the form in which it stands alone."""
        return str(self._locale.months["stand-alone"]["wide"][number])

    def city(self, zone: str) -> str:
        """Return the city by which a time zone is known: "Kairo" in German for Africa/Cairo."""
        return str(get_timezone_location(zone, locale=self._locale, return_city=True))

    def territory(self, code: str) -> str:
        """Return the name of a country or, by its number in UN M.49, of a part of the world: "Europa" for 150."""
        return str(self._locale.territories.get(code, code))

    def day(self, moment: datetime) -> str:
        """Return a date with its weekday: "Thursday 22 October 2026"."""
        return format_date(moment, DATE_PATTERNS.get(self.tag, "full"), locale=self._locale)

    def when(self, moment: datetime) -> str:
        """Return "Thursday 22 October 2026 at 08:14 (UTC+2)"; zone abbreviations are ambiguous, the offset is not."""
        return self._at(moment, f"{moment:%H:%M}")

    def exactly(self, moment: datetime) -> str:
        """Return the same to the second: "Thursday 22 October 2026 at 08:14:07 (UTC+2)"."""
        return self._at(moment, f"{moment:%H:%M:%S}")

    def offset(self, moment: datetime) -> str:
        """Return a time's offset from UTC: "UTC+2", with a true minus."""
        return _offset(moment)

    def _at(self, moment: datetime, time: str) -> str:
        return self.text(
            translatable("%(day)s at %(time)s (%(offset)s)", day=self.day(moment), time=time, offset=_offset(moment))
        )


def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(FORMATS.get(tag, tag), sep="_" if tag in FORMATS else "-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FORMATS.get(tags.primary(tag), tags.primary(tag)))


def _offset(moment: datetime) -> str:
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a time without a zone cannot be shown")
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")  # noqa: RUF001, a true minus


@lru_cache(maxsize=64)
def language(tag: str) -> Language:
    """Return the language of a tag: its own formats, with the words of the catalogue that suits it best.

    So de-AT has German words and Austrian months. A tag without a suitable catalogue is English (RFC 4647 section 3.4).
    """
    if tag.lower() == pseudo.TAG.lower():
        return Language(pseudo.TAG, pseudo.PseudoTranslations())
    found = tags.lookup([tag], catalogues.LANGUAGES)
    if found is None:
        return language(catalogues.DEFAULT)
    return Language(tag, catalogues.translations(found))


def own_name(tag: str) -> str:
    """Return what a language calls itself: "Deutsch", "العربية"; for a tag that CLDR does not know, the tag."""
    return _display_name(tag)


def english_name(tag: str) -> str:
    """Return the English name of a language: "German", "Arabic"; for a tag that CLDR does not know, the tag."""
    return _display_name(tag, catalogues.DEFAULT)


def _display_name(tag: str, told_in: str | None = None) -> str:
    try:
        name = Locale.parse(tag, sep="-").get_display_name(told_in) or tag
    except (UnknownLocaleError, ValueError):
        return tag
    return name[:1].upper() + name[1:]


ENGLISH = language(catalogues.DEFAULT)
