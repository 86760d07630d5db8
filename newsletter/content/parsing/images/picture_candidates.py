"""Choose the pictures that may lead an article, the best first.

A feed offers the same picture in several sizes and places, beside avatars, icons and pixels. What a feed says of a
picture is only a claim, so several candidates are kept: if one turns out to be unsuitable, the next is tried.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice

from newsletter.content.parsing.images.decorations import is_decoration, is_doubtful
from newsletter.content.parsing.images.media_types import has_picture_extension, is_never_shown
from newsletter.content.parsing.texts.shortening import excerpt
from newsletter.content.parsing.texts.unescaping import plain_line

MAX_CANDIDATES = 5
MAX_VERSIONS = 2  # of these, sizes of one picture
MAX_OFFERED = 200  # pictures of an entry that are considered
MAX_ALT = 300  # characters
MIN_WIDTH, MIN_HEIGHT = 100, 40  # pixels; an image that declares less is an icon or a tracking pixel
MAX_PROPORTION = 5  # of the longer to the shorter side; a longer image is a banner or a line
GOOD_WIDTH = 300  # pixels; a narrower picture yields to one of unknown size
LEAD_WIDTH = 600  # pixels, about that of a letter; a declared picture of this width needs no larger one
ENOUGH_WIDTH = 1200  # pixels; two pictures that are wider than this are equal

# A size at the end of a file's name, as WordPress appends it; it serves to tell versions of one picture.
SIZE_IN_NAME = re.compile(r"[-_](\d{2,4})x(\d{2,4})(?=\.[a-z]+$)", re.IGNORECASE)
FILE_NAME = re.compile(r"(?:img|image|picture|photo|foto|bild|dscn?|screenshot|untitled)?[\s_.()-]*\d*", re.IGNORECASE)
# Not "Covid-19", "U-Bahn" or "H2O".
SLUG = re.compile(r"\S*_\S*|[a-z0-9]+(?:-[a-z0-9]+){2,}|\S*\d{5}\S*|(?=\S*\d)[0-9a-f]{8,}")
USER = re.compile(r"[a-z0-9]+")


class PictureSource(IntEnum):
    """Where an entry offers a picture; of two pictures without sizes, the lower value is preferred."""

    MAIN = 0  # declared for the entry
    THUMBNAIL = 1  # declared as a small version
    TEXT = 2  # an image in the entry's text


@dataclass(frozen=True, kw_only=True)
class LeadPicture:
    """The URL of an article's lead picture, and its text alternative."""

    url: str
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class OfferedPicture:
    """A picture as the entry offers it: an unresolved URL, and its size in pixels where the entry states one."""

    url: str
    source: PictureSource = PictureSource.MAIN
    width: int | None = None
    height: int | None = None
    alt: str = ""


@dataclass(kw_only=True)
class _Candidate:
    """Everything that the entry says of the picture at one URL."""

    url: str
    sources: set[PictureSource] = field(default_factory=set)
    width: int | None = None
    alt: str = ""
    is_doubtful: bool = False

    def rank(self) -> tuple[int, int, int]:
        """Return a key that sorts the best picture first; equal ones stay in the entry's order."""
        return self._group(), -min(self.width or LEAD_WIDTH, ENOUGH_WIDTH), -len(self.sources)

    def _group(self) -> int:
        width = self.width or _width_in_name(self.url)
        if self.is_doubtful:
            return 5
        if width and width < GOOD_WIDTH:
            return 4
        if PictureSource.MAIN in self.sources and (self.width or LEAD_WIDTH) >= LEAD_WIDTH:
            return 0
        if self.width:
            return 1
        return 2 if PictureSource.THUMBNAIL in self.sources else 3


def choose(
    offered: Iterable[OfferedPicture],
    *,
    resolve: Callable[[OfferedPicture], str | None],
    title: str = "",
    author: str = "",
) -> tuple[LeadPicture, ...]:
    """Return at most 5 candidates for the lead picture, the best first.

    `resolve` returns the absolute URL of a picture, or None. The title and the author describe no picture: an image
    that carries the author's name is probably a portrait.
    """
    found: dict[str, _Candidate] = {}
    for picture in islice(offered, MAX_OFFERED):
        url = resolve(picture) if _is_large_enough(picture) else None
        if url and not is_decoration(url, width=picture.width) and not is_never_shown(url):
            candidate = found.setdefault(_without_scheme(url), _Candidate(url=url))
            _add(candidate, picture, title=title, author=author)
    ordered = sorted(found.values(), key=_Candidate.rank)
    _share_alts(ordered)
    return tuple(LeadPicture(url=each.url, alt=each.alt) for each in _varied(ordered))


def _add(candidate: _Candidate, picture: OfferedPicture, *, title: str, author: str) -> None:
    alt = excerpt(plain_line(picture.alt), MAX_ALT)
    is_portrait = bool(alt) and alt.casefold() == author.casefold()
    is_repeated = picture.source is not PictureSource.TEXT and alt.casefold() == title.casefold()
    candidate.sources.add(picture.source)
    candidate.width = max(filter(None, (candidate.width, picture.width)), default=None)
    candidate.is_doubtful |= is_doubtful(candidate.url) or is_portrait
    is_user = picture.source is not PictureSource.TEXT and USER.fullmatch(
        alt
    )  # as Mastodon and WordPress title avatars
    if not (candidate.alt or is_repeated or is_user or _is_file_name(alt)):
        candidate.alt = alt


def _share_alts(candidates: Iterable[_Candidate]) -> None:
    """Give a picture without a text alternative that of another version of it."""
    alts = {_stem(each.url): each.alt for each in candidates if each.alt}
    for candidate in candidates:
        candidate.alt = candidate.alt or alts.get(_stem(candidate.url), "")


def _varied(candidates: Iterable[_Candidate]) -> Iterable[_Candidate]:
    """Return the first candidates, but few versions of one picture: if one is broken, others often are as well."""
    versions: Counter[str] = Counter()
    kept = []
    for candidate in candidates:
        versions[_stem(candidate.url)] += 1
        if versions[_stem(candidate.url)] <= MAX_VERSIONS:
            kept.append(candidate)
    return kept[:MAX_CANDIDATES]


def _is_large_enough(picture: OfferedPicture) -> bool:
    """Return whether the declared size, if there is one, is that of a picture and not of an icon, a pixel or a line."""
    width, height = picture.width, picture.height
    if (width is not None and width < MIN_WIDTH) or (height is not None and height < MIN_HEIGHT):
        return False
    return not (width and height) or max(width, height) <= MAX_PROPORTION * min(width, height)


def _is_file_name(alt: str) -> bool:
    """Return whether a text alternative is the name of a file, which a program wrote."""
    return bool(SLUG.fullmatch(alt) or FILE_NAME.fullmatch(alt)) or has_picture_extension(f"/{alt}")


def _without_scheme(url: str) -> str:
    return url.partition("://")[2].partition("#")[0]


def _stem(url: str) -> str:
    """Return what versions of one picture have in common: the URL without its query and the size in its name."""
    return SIZE_IN_NAME.sub("", _without_scheme(url).partition("?")[0])


def _width_in_name(url: str) -> int | None:
    match = SIZE_IN_NAME.search(url.partition("?")[0])
    return int(match[1]) if match else None
