"""The template environment and its filters.

A comment at the top of each template lists its context: rows or mappings, aware UTC times, unescaped text. A missing
name raises (StrictUndefined), so that no letter is sent with a gap.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from newsletter import colors
from newsletter.iris import uri

# Not strftime's, which depend on the process's locale.
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July"]
MONTHS += ["August", "September", "October", "November", "December"]
RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"}


def templates_dir() -> Path:
    """Return the templates' folder: inside the package when installed as a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


@cache
def environment() -> Environment:
    """Return the process's environment: it escapes in .html but not in .txt, and raises for missing names.

    It is shared because it caches compiled templates, and compiling one takes longer than rendering it.
    """
    made = Environment(
        loader=FileSystemLoader(templates_dir()),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (accents, day, direction, exactly, listed, local, one_line, uri, without_scheme, when):
        made.filters[function.__name__] = function
    return made


accents = colors.accents


def local(moment: datetime, zone: str) -> datetime:
    """Convert an aware time to an IANA time zone."""
    return moment.astimezone(ZoneInfo(zone))


def day(moment: datetime) -> str:
    """Return a date like "Thursday 22 October 2026"."""
    return f"{DAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def when(moment: datetime) -> str:
    """Return "Thursday 22 October 2026 at 08:14 (UTC+2)"; zone abbreviations are ambiguous, the offset is not."""
    return f"{day(moment)} at {moment:%H:%M} ({_offset(moment)})"


def exactly(moment: datetime) -> str:
    """Return the same to the second: "Thursday 22 October 2026 at 08:14:07 (UTC+2)"."""
    return f"{day(moment)} at {moment:%H:%M:%S} ({_offset(moment)})"


def _offset(moment: datetime) -> str:
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a time without a zone cannot be shown")
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")  # noqa: RUF001, a true minus


def listed(names: Iterable[str]) -> str:
    """Return names as in a sentence: "A, B and C"."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def one_line(text: str) -> str:
    """Return the text on one line: in a letter's text part, a paragraph is one line."""
    return " ".join(text.split())


def without_scheme(url: str) -> str:
    """Return a URL as people write it, without the scheme."""
    return url.partition("://")[2].rstrip("/") or url


def direction(language: str) -> str:
    """Return the direction of a language (BCP 47), rtl or ltr, for HTML's dir attribute."""
    return "rtl" if language.lower().partition("-")[0] in RIGHT_TO_LEFT else "ltr"
