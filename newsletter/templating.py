"""The template environment and its filters.

A comment at the top of each template lists its context: rows or mappings, aware UTC times, unescaped text. A missing
name raises (StrictUndefined), so that no letter is sent with a gap.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup

from newsletter.appearance import colors, static_files
from newsletter.iris import uri
from newsletter.languages import catalogues
from newsletter.languages.languages import Language, language
from newsletter.languages.tags import direction

Templates = Callable[[str], Environment]  # by language tag


def templates_dir() -> Path:
    """Return the templates' folder: inside the package when installed as a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


class SharedCode(BytecodeCache):
    """Keeps compiled templates in memory for the environments of all languages.

    They differ in nothing that compiling sees: no template passes a literal to a filter that depends on the language.
    """

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the template's code, if one with the same source was compiled."""
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the template's code."""
        if bucket.code:
            self._compiled[bucket.key, bucket.checksum] = bucket.code


_shared_code = SharedCode()


def environment(tag: str = catalogues.DEFAULT) -> Environment:
    """Return the process's environment of a language. It escapes in .html, not in .txt, and raises for missing names.

    Templates find the language as `language`; a tag without a catalogue is English. An environment is shared because it
    caches compiled templates, and compiling one takes longer than rendering it.
    """
    return _environment(language(tag))


@lru_cache(maxsize=64)
def _environment(spoken: Language) -> Environment:
    made = Environment(
        extensions=["jinja2.ext.i18n"],
        loader=FileSystemLoader(templates_dir()),
        bytecode_cache=_shared_code,
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=True),
        undefined=StrictUndefined,
        auto_reload=False,  # else every use of a template asks the disk, and an upgrade mixes two releases' templates
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (accents, as_address, control, direction, local, one_line, uri, without_scheme):
        made.filters[function.__name__] = function
    for name in ("day", "exactly", "listed", "number", "offset", "text", "when"):
        made.filters[name] = getattr(spoken, name)
    made.filters["brand_stylesheet"], made.filters["icon"] = static_files.brand_stylesheet, static_files.icon
    made.globals["static_url"] = static_files.url
    made.globals["language"] = spoken
    made.policies["ext.i18n.trimmed"] = True
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        made.globals[name] = _with_values(spoken, getattr(spoken, name))
    made.globals["_"] = made.globals["gettext"]
    made.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension: texts take their values as keywords
    return made


def _with_values(spoken: Language, translate: Callable[..., str]) -> Callable[..., str]:
    """Return the function that templates call: it inserts the values, escaped in HTML, as the language writes them."""

    @pass_context
    def translated(context: Context, /, *texts: Any, **values: Any) -> str:
        text = translate(*texts)
        if isinstance(texts[-1], int):
            values.setdefault("num", texts[-1])
        inserted = spoken.values(values)
        return Markup(text) % inserted if context.eval_ctx.autoescape else text % inserted  # noqa: S704 - from the catalogue

    return translated


accents = colors.accents


def local(moment: datetime, zone: str) -> datetime:
    """Convert an aware time to an IANA time zone."""
    return moment.astimezone(ZoneInfo(zone))


def one_line(text: str) -> str:
    """Return the text on one line: in a letter's text part, a paragraph is one line."""
    return " ".join(text.split())


def control(kind: str, value: object) -> str:
    """Return the type of an input that can show a value: the kind, or text if a control of that kind would drop it.

    A browser empties a control whose value is none of its kind (HTML, value sanitization), and nobody could correct it.
    """
    read = CONTROLS.get(kind)
    try:
        if read and value not in ("", None):
            read(str(value))
    except ValueError:
        return "text"
    return kind


def _brand(value: str) -> None:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError


CONTROLS: dict[str, Callable[[str], object]] = {
    "number": int,
    "date": date.fromisoformat,
    "datetime-local": datetime.fromisoformat,
    "color": _brand,
}


def as_address(text: str) -> Markup:
    """Return an e-mail address as HTML, left to right; where it does not fit, a line ends after its @ or a dot."""
    parts = re.split(r"(?<=[@.])(?=.)", text)
    return Markup('<bdi dir="ltr">{}</bdi>').format(Markup("<wbr>").join(parts))


def without_scheme(url: str) -> str:
    """Return a URL as people write it, without the scheme."""
    return url.partition("://")[2].rstrip("/") or url
