"""Cut a document that was not received whole back to its last whole item."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from newsletter.content.parsing.documents import sections
from newsletter.content.parsing.documents.prolog import ROOT

PREFIX = r"(?:[A-Za-z_][\w.-]*:)?"
MAX_NAME = 100
MAX_END = 1000  # characters in which the end of the root element is looked for first
CLOSING = re.compile(r"</[^<>]*>")


class WholeItems(NamedTuple):
    """A document without the item in which it was cut off. `is_complete` says that it was not cut off."""

    text: str
    is_complete: bool


class Tag(NamedTuple):
    """A whole tag of the root element, of a channel or of an item."""

    start: int
    end: int
    name: str
    is_closing: bool
    is_empty: bool  # it opens and closes its element


def whole_items(text: str) -> WholeItems:
    """Return an XML document that begins with its root element, without a cut item and without what follows the root.

    A document is complete if its root element ends. One that is cut off ends with its last whole item instead; an item
    that never ends although others follow is as whole as they are.
    """
    root = ROOT.match(text)
    if (
        not root
        or len(root[0]) > MAX_NAME
        or re.search(rf"</{re.escape(root[0][1:])}\s*>\s*\Z", text[-MAX_END:], re.IGNORECASE)
    ):
        return WholeItems(text=text, is_complete=True)
    return _cut(text, root[0][1:])


def _cut(text: str, root: str) -> WholeItems:
    open_item = after_root = after_item = 0
    item = channel = ""
    for tag in _tags(text, root):
        is_open = not (tag.is_closing or tag.is_empty)
        if tag.name == root.lower():
            after_root = 0 if is_open else tag.end
        elif tag.name.endswith("channel"):
            channel = text[tag.start + 1 : tag.start + 1 + len(tag.name)] if is_open else ""
        elif tag.name == (item := item or tag.name):  # others are elements of an item
            open_item, after_item, after_root = (tag.start if is_open else 0), tag.end, 0
    if after_root:
        return WholeItems(text=text[:after_root], is_complete=True)
    end = open_item or max(after_item, _after_last_closing(text))
    closings = "".join(f"</{name}>" for name in (channel, root) if name)
    return WholeItems(text=text[:end] + closings, is_complete=False)


def _tags(text: str, root: str) -> Iterator[Tag]:
    """Yield the tags of the root element, of channels and of items, up to a tag that is cut."""
    wanted = re.compile(rf"<(/?)({re.escape(root)}|{PREFIX}(?:item|entry|channel))(?=[\s/>])", re.IGNORECASE)
    for part in sections.split(text):
        for tag in wanted.finditer(text, part.start, part.end) if part.is_markup else ():
            end = text.find(">", tag.end(), part.end) + 1
            if not end:
                return
            name, is_closing, is_empty = tag[2].lower(), bool(tag[1]), text[end - 2] == "/"
            yield Tag(start=tag.start(), end=end, name=name, is_closing=is_closing, is_empty=is_empty)


def _after_last_closing(text: str) -> int:
    """Return the place after the last whole closing tag: what follows may be cut."""
    ends = [0]
    for part in sections.split(text):
        if part.is_markup:
            ends += [closing.end() for closing in CLOSING.finditer(text, part.start, part.end)][-1:]
    return ends[-1]
