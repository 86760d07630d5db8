"""Find the images in an entry's HTML, also those that a page would load later or in the size that fits."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.content.parsing.images.decorations import has_decorative_class, is_container, is_doubtful, is_emoji
from newsletter.content.parsing.images.media_types import has_picture_extension, is_shown
from newsletter.content.parsing.images.picture_candidates import GOOD_WIDTH, OfferedPicture, PictureSource
from newsletter.content.parsing.texts.sanitizing import bounded

MAX_IMAGES = 50  # of one text
ENOUGH_WIDTH = 1200  # pixels; of a picture in several sizes, the smallest of at least this width is taken
MAX_EM = 4.0  # an image that is at most so many letters high stands in a line of text
WRAPPERS = 3  # elements around an image whose class is read as well

# Attributes of images that a script loads once they are scrolled into view; `src` is a placeholder then.
LAZY = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-lazyload", "data-original-src", "data-echo")
MADE_BY_SCRIPTS = re.compile(r"data-|.*lazy")  # attributes that the HTML standard does not know
SRCSETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "srcset")
# A candidate of a srcset (HTML standard, 4.8.4.2.1); its URL may contain commas, but not end with one.
CANDIDATE = re.compile(r"\s*([^\s,]\S*[^\s,]|[^\s,])(?:\s+(\d+(?:\.\d+)?)([wx]))?[^,]*(?:,|$)")
LENGTH = re.compile(r"\s*(\d{1,5})(?:\.\d+)?\s*(?:px)?\s*")
STYLED_LENGTH = re.compile(r"(?<![\w-])(width|height)\s*:\s*(\d{1,5}(?:\.\d+)?)\s*(px|r?em)(?![\w%])", re.IGNORECASE)
IMAGE = re.compile(r"<(?:img|image|amp-img|video)\b", re.IGNORECASE)
HIDDEN = re.compile(r"(?<![\w-])(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


class _Version(NamedTuple):
    """One of the files that an image may be loaded from, with its width in pixels if the text states it."""

    url: str
    width: int | None = None


def find(html: str) -> Iterator[OfferedPicture]:
    """Yield the images of the text in its order, without those that are hidden, inside a line or mere decoration."""
    if not IMAGE.search(html):
        return
    images = LexborHTMLParser(bounded(html)).css("img, amp-img, video[poster]")
    for image in islice(images, MAX_IMAGES):
        if not _is_decorative(image):
            yield from _offered(image)


def _offered(image: LexborNode) -> Iterator[OfferedPicture]:
    width, height = (_length(image.attributes.get(side)) for side in ("width", "height"))
    alt = (image.attributes.get("alt") or "").strip() or _caption(image)
    for version in _versions(image):
        if version.width:
            yield OfferedPicture(url=version.url, source=PictureSource.TEXT, width=version.width, alt=alt)
        else:
            yield OfferedPicture(url=version.url, source=PictureSource.TEXT, width=width, height=height, alt=alt)
    link = image.parent.attributes.get("href") if image.parent and image.parent.tag == "a" else None
    if link and (width or GOOD_WIDTH) < GOOD_WIDTH and has_picture_extension(link):
        yield OfferedPicture(url=link, source=PictureSource.TEXT, alt=alt)  # the page shows a small version of it


def _versions(image: LexborNode) -> list[_Version]:
    """Return the best file of an image, then the one for browsers that know no srcset."""
    attributes = image.attributes
    lazy = next(filter(None, (attributes.get(name) for name in LAZY)), None)
    plain = lazy or attributes.get("src") or attributes.get("poster")
    if not plain or plain.startswith("data:") or is_doubtful(plain):
        plain = _loaded_by_script(attributes) or plain
    named = [_Version(plain)] if plain and not plain.startswith("data:") else []
    sets = [attributes.get(name) for name in SRCSETS]
    if image.parent and image.parent.tag == "picture":
        for source in image.parent.css("source"):
            if is_shown(source.attributes.get("type") or ""):
                sets += [source.attributes.get(name) for name in SRCSETS]
    best = _best([version for text in filter(None, sets) for version in _parse(text)])
    return [best, *named] if best and best.url != plain else named if not best else [best]


def _loaded_by_script(attributes: Mapping[str, str | None]) -> str | None:
    """Return the first address of a picture in an attribute of any script's own."""
    scripted = (value.strip() for name, value in attributes.items() if value and MADE_BY_SCRIPTS.match(name))
    return next((value for value in scripted if " " not in value and has_picture_extension(value)), None)


def _parse(srcset: str) -> list[_Version]:
    """Return the files of a srcset; of those with densities instead of widths, the densest alone."""
    parsed = [match.groups() for match in CANDIDATE.finditer(srcset) if not match[1].startswith("data:")]
    wide = [_Version(url, int(float(value))) for url, value, unit in parsed if unit == "w"]
    dense = max(parsed, key=lambda each: float(each[1] or 1), default=None)
    return wide or ([_Version(dense[0])] if dense else [])


def _best(versions: list[_Version]) -> _Version | None:
    enough = [version for version in versions if (version.width or 0) >= ENOUGH_WIDTH]
    if enough:
        return min(enough, key=lambda version: version.width or 0)
    return max(versions, key=lambda version: version.width or 0, default=None)


def _is_decorative(image: LexborNode) -> bool:
    attributes = image.attributes
    style = attributes.get("style") or ""
    if "hidden" in attributes or HIDDEN.search(style) or is_emoji(attributes.get("alt") or ""):
        return True
    for _, value, unit in STYLED_LENGTH.findall(style):
        if float(value) <= (MAX_EM if "em" in unit.lower() else MAX_EM * 16):
            return True
    return has_decorative_class(attributes.get("class") or "") or any(
        is_container(around.attributes.get("class") or "") for around in _around(image)
    )


def _caption(image: LexborNode) -> str:
    """Return the caption of the figure around the image."""
    for around in _around(image):
        if around.tag == "figure" or "wp-caption" in (around.attributes.get("class") or "").split():
            caption = around.css_first("figcaption, .wp-caption-text")
            return caption.text() if caption else ""
    return ""


def _around(image: LexborNode) -> Iterator[LexborNode]:
    """Yield the nearest elements around the image."""
    around = image.parent
    for _ in range(WRAPPERS):
        if around is None or around.tag in ("body", "html"):
            break
        yield around
        around = around.parent


def _length(value: str | None) -> int | None:
    """Return a length in pixels; None for a share of the page, as in `50%`."""
    match = LENGTH.fullmatch(value or "")
    return int(match[1]) if match else None
