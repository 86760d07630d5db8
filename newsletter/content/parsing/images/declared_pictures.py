"""Read the pictures that a feed declares outside the text of its entries.

feedparser reports the titles and descriptions of Media RSS as those of the entry, and not to which picture they belong.
So this module reads a feed once more, for its pictures only, by the names of the elements. A document that breaks off
or is not well-formed yields the entries before the fault; `from_feedparser` serves for the others.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from xml.parsers import expat

from newsletter.content.parsing.images.media_types import is_picture
from newsletter.content.parsing.images.picture_candidates import OfferedPicture, PictureSource
from newsletter.content.parsing.texts.sanitizing import one_line, plain_text

MAX_MEDIA = 200  # files of one entry
MAX_DESCRIPTION = 300  # characters; a longer description of a film tells its story, and not what a picture shows
MAX_DEPTH = 20  # of elements in an entry
MEDIA_RSS = "http://search.yahoo.com/mrss"
ENTRIES = {"item", "entry"}
# Elements of an entry that hold its text or another feed's data; what is inside them is not declared for the entry.
TEXTS = {"description", "summary", "encoded", "body", "content", "source", "author", "contributor", "title"}
COVERS = {"image", "thumb", "cover", "picture", "featured_image", "featuredimage", "post-thumbnail"}
LINK_RELATIONS = {"enclosure", "preview", "image", "image_src", "thumbnail", "photo"}
NOT_PICTURES = {"duration", "bitrate", "framerate", "samplingrate", "channels"}  # attributes of sound and films


@dataclass(kw_only=True)
class _Element:
    """An open element of an entry, and what it says of the pictures inside it."""

    name: str
    offered: list[OfferedPicture] = field(default_factory=list)
    title: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class DeclaredMedia:
    """The pictures that an entry declares, and the titles and descriptions of its media, which are not the entry's."""

    pictures: tuple[OfferedPicture, ...] = ()
    texts: frozenset[str] = frozenset()  # each on one line


def read(document: bytes, *, limit: int) -> list[DeclaredMedia]:
    """Return the media of the first `limit` entries of an XML feed; of a broken document, those before the fault."""
    reader = _MediaReader(limit)
    with suppress(expat.ExpatError):  # feedparser reads what it can of such a document
        reader.parser.Parse(document, True)
    return reader.entries


def from_feedparser(entry: Any) -> DeclaredMedia:
    """Return the pictures of an entry that only feedparser could read, without their text alternatives."""
    offered = [
        *(_media(item, source=PictureSource.MAIN) for item in entry.get("media_content", ())),
        *(_media(item, source=PictureSource.THUMBNAIL) for item in entry.get("media_thumbnail", ())),
        *(_enclosure(item) for item in entry.get("enclosures", ())),
        _cover(entry.get("image") or {}),
    ]
    return DeclaredMedia(pictures=tuple(picture for picture in offered if picture)[:MAX_MEDIA])


def from_json_feed(item: Mapping[str, Any]) -> Iterator[OfferedPicture]:
    """Yield the pictures of a JSON Feed's item: its image, its banner and its attachments that are images."""
    for name in ("image", "banner_image"):
        if isinstance(url := item.get(name), str):
            yield OfferedPicture(url=url)
    attachments = item.get("attachments")
    for attached in attachments[:MAX_MEDIA] if isinstance(attachments, list) else ():
        if isinstance(attached, dict) and isinstance(url := attached.get("url"), str):
            kind, title = (str(attached.get(name) or "") for name in ("mime_type", "title"))
            if is_picture(url, media_type=kind):
                yield OfferedPicture(url=url, alt=title)


class _MediaReader:
    """Collects the declared media while expat reads a feed. Namespaces are not required: many feeds forget them."""

    def __init__(self, limit: int) -> None:
        self.entries: list[DeclaredMedia] = []
        self._limit = limit
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._media_prefixes = {"media"}
        self._open: list[_Element] = []  # the entry and the elements in it
        self._skipped = 0  # open elements inside a text
        self._texts: set[str] = set()
        self._text: list[str] = []

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        if self._skipped:
            self._skipped += 1
            return
        prefix, _, name = qualified.lower().rpartition(":")
        for key, value in attributes.items():
            if value.startswith(MEDIA_RSS) and key.startswith("xmlns:"):
                self._media_prefixes.add(key.removeprefix("xmlns:").lower())
        if not self._open:
            if name in ENTRIES and len(self.entries) < self._limit:
                self._open.append(_Element(name=name))
                self._texts = set()
            return
        is_media = prefix in self._media_prefixes
        is_linked = name == "content" and ("url" in attributes or "src" in attributes)
        is_text = name in TEXTS and not (is_media or is_linked)
        self._text = []
        if is_text or len(self._open) >= MAX_DEPTH:
            self._skipped = 1
            self.parser.CharacterDataHandler = None
            return
        # `feedparser_input` has renamed the titles of media.
        self._open.append(_Element(name=f"media:{name.removeprefix('file-')}" if is_media else name))
        self.parser.CharacterDataHandler = self._text.append
        self._offer({key.lower(): value for key, value in attributes.items()})

    def _offer(self, attributes: dict[str, str]) -> None:
        element, picture = self._open[-1], None
        name = element.name.removeprefix("media:")
        if name == "content":
            picture = _media(attributes, source=PictureSource.MAIN)
        elif name == "thumbnail":
            picture = _media(attributes, source=PictureSource.THUMBNAIL)
        elif name == "enclosure" or (name == "link" and attributes.get("rel") in LINK_RELATIONS):
            picture = _enclosure(attributes)
        elif name in COVERS:
            picture = _cover(attributes)
        if picture:
            element.offered.append(picture)

    def _end(self, _: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif self._open:
            self._close(self._open.pop(), "".join(self._text).strip())
            self._text = []
            self.parser.CharacterDataHandler = None

    def _close(self, element: _Element, text: str) -> None:
        pictures = [_described(picture, element) for picture in element.offered]
        if not self._open:
            self.entries.append(DeclaredMedia(pictures=tuple(pictures), texts=frozenset(self._texts)))
            return
        outer = self._open[-1]
        if element.name in ("media:title", "media:description", "media:text") and text:
            self._texts.add(one_line(text))
            if element.name == "media:title":
                outer.title = outer.title or plain_text(text)
            else:
                outer.description = outer.description or plain_text(text)
        elif not pictures:
            pictures = _addressed(element.name.removeprefix("media:"), text, outer)
        outer.offered += pictures[: max(0, MAX_MEDIA - len(outer.offered))]


def _addressed(name: str, text: str, outer: _Element) -> list[OfferedPicture]:
    """Return the picture whose address is the text of the element, as in `<image><url>...</url></image>`."""
    is_url, is_small = name == "url" and outer.name in COVERS, name == "thumbnail"
    if not (is_url or is_small or name in COVERS) or not is_picture(text, is_likely=is_url or "://" in text):
        return []
    return [OfferedPicture(url=text, source=PictureSource.THUMBNAIL if is_small else PictureSource.MAIN)]


def _described(picture: OfferedPicture, element: _Element) -> OfferedPicture:
    """Return the picture with the description of the element around it, unless an inner one has described it."""
    description = element.description if len(element.description) <= MAX_DESCRIPTION else ""
    return replace(picture, alt=picture.alt or description or element.title)


def _media(attributes: Mapping[str, Any], *, source: PictureSource) -> OfferedPicture | None:
    url = str(attributes.get("url") or attributes.get("src") or attributes.get("href") or "")
    kind, medium = (str(attributes.get(name) or "") for name in ("type", "medium"))
    is_likely = source is PictureSource.THUMBNAIL or ("src" not in attributes and NOT_PICTURES.isdisjoint(attributes))
    if not (url and is_picture(url, media_type=kind, medium=medium, is_likely=is_likely)):
        return None
    width, height = (_length(attributes.get(side)) for side in ("width", "height"))
    return OfferedPicture(url=url, source=source, width=width, height=height)


def _enclosure(attributes: Mapping[str, Any]) -> OfferedPicture | None:
    url, kind = str(attributes.get("url") or attributes.get("href") or ""), str(attributes.get("type") or "")
    return OfferedPicture(url=url) if url and is_picture(url, media_type=kind) else None


def _cover(attributes: Mapping[str, Any]) -> OfferedPicture | None:
    url = str(attributes.get("href") or attributes.get("url") or attributes.get("src") or "")
    return OfferedPicture(url=url) if url and is_picture(url, is_likely=True) else None


def _length(value: Any) -> int | None:
    """Return a length in pixels; None for 0, which some feeds write for an unknown one."""
    text = str(value or "").strip().removesuffix("px")
    return int(text) or None if text.isascii() and text.isdecimal() and len(text) < 6 else None
