"""Stylesheets and icons, under URLs that name their content: browsers keep them for a year, and a change is a new URL.

A brand color has a stylesheet and an icon of its own, because the security policy forbids inline styles.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from newsletter.appearance import colors, icons

FOLDER = Path(__file__).parents[1] / "web" / "static"
DEFAULT_BRAND = "#0f5c6e"  # as in tokens.css
HASH_CHARACTERS = 12
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NAME = re.compile(r"([a-z]+)(?:-([0-9a-f]{6}))?(?:\.([0-9a-f]{12}))?\.(css|js|svg)")


class StaticFile(NamedTuple):
    """A file as it is served."""

    body: bytes
    type: str
    is_named_by_content: bool  # whether the name that was asked for holds the hash of this body


def url(name: str) -> str:
    """Return the URL of a file in FOLDER, such as base.css or desk.js. Raises KeyError if there is none."""
    stem, _, suffix = name.partition(".")
    return _named(stem, None, suffix)


def brand_stylesheet(brand: str) -> str:
    """Return the URL of the stylesheet of a brand color #rrggbb."""
    return _named("brand", brand[1:], "css")


def icon(brand: str = DEFAULT_BRAND) -> str:
    """Return the URL of the icon in a brand color #rrggbb."""
    return _named("icon", brand[1:], "svg")


def find(name: str) -> StaticFile | None:
    """Return the file of a name, with the hash of its content or without; None if its content has another hash."""
    parsed = NAME.fullmatch(name)
    if parsed is None:
        return None
    stem, color, content_hash, suffix = parsed.groups()
    body = _body(stem, color, suffix)
    if body is None or content_hash not in (None, _hash(body)):
        return None
    return StaticFile(body, TYPES[suffix], content_hash is not None)


@lru_cache(maxsize=1024)
def _named(stem: str, color: str | None, suffix: str) -> str:
    body = _body(stem, color, suffix)
    if body is None:
        raise KeyError(stem)
    shown = f"{stem}-{color}" if color else stem
    return f"/static/{shown}.{_hash(body)}.{suffix}"


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:HASH_CHARACTERS]


@lru_cache(maxsize=256)
def _body(stem: str, color: str | None, suffix: str) -> bytes | None:
    match stem, suffix:
        case "brand", "css" if color:
            return colors.stylesheet(f"#{color}").encode()
        case "icon", "svg" if color:
            return icons.svg(f"#{color}").encode()
        case _ if color is None:
            return _files().get(f"{stem}.{suffix}")
    return None


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.suffix in (".css", ".js")}
