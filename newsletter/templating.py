"""Where the templates are, and the few filters that they share.

Each template names its context in a comment at its top. All of it is data: rows or plain mappings, aware UTC times,
text that nobody has escaped. A name that is missing fails (StrictUndefined) rather than mailing a blank.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from newsletter import colours

# Not strftime's, which follow the locale of whoever imported it.
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July"]
MONTHS += ["August", "September", "October", "November", "December"]
RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"}


def templates_dir() -> Path:
    """The templates: inside the package when installed as a wheel, beside it in a checkout."""
    here = Path(__file__).parent
    installed = here / "templates"
    return installed if installed.is_dir() else here.parent / "templates"


@cache
def environment() -> Environment:
    """Templates that escape in .html, leave .txt as it is, and refuse names they were not given.

    One for the whole process: it keeps what it has compiled, and compiling a page or a letter takes longer than filling
    it in does.
    """
    made = Environment(
        loader=FileSystemLoader(templates_dir()),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for show in (accents, day, direction, exactly, listed, local, one_line, plainly, when):
        made.filters[show.__name__] = show
    return made


accents = colours.accents


def local(moment: datetime, zone: str) -> datetime:
    """An aware time as the clocks of an IANA zone show it."""
    return moment.astimezone(ZoneInfo(zone))


def day(moment: datetime) -> str:
    """Thursday 22 October 2026."""
    return f"{DAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def when(moment: datetime) -> str:
    """Thursday 22 October 2026 at 08:14 (UTC+2); the offset, because an abbreviation of a zone names several."""
    return f"{day(moment)} at {moment:%H:%M} ({_offset(moment)})"


def exactly(moment: datetime) -> str:
    """Thursday 22 October 2026 at 08:14:07 (UTC+2)."""
    return f"{day(moment)} at {moment:%H:%M:%S} ({_offset(moment)})"


def _offset(moment: datetime) -> str:
    ahead = moment.utcoffset()
    if ahead is None:
        raise ValueError("A time without a zone is no time")
    minutes = round(ahead.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")  # noqa: RUF001, a true minus


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: A, B and C."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def one_line(text: str) -> str:
    """Text on one line, whatever breaks it came with: a paragraph of a letter's text part is one line."""
    return " ".join(text.split())


def plainly(url: str) -> str:
    """An address on the web as people write it, without its scheme."""
    return url.partition("://")[2].rstrip("/") or url


def direction(language: str) -> str:
    """Which way a language (BCP 47) is written: rtl or ltr, as HTML's dir wants it."""
    return "rtl" if language.lower().partition("-")[0] in RIGHT_TO_LEFT else "ltr"
