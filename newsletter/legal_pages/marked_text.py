"""Read the plain text of a legal page: headings, paragraphs, lists and links, and nothing that could be HTML."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

HEADING, BULLET = "# ", "- "
PARAGRAPHS = re.compile(r"\n[ \t]*\n")
# What does not belong to an address that stands in a sentence: blanks, quotes, brackets and marks of direction.
URL = r"https?://[^\s<>\"“”„»«\u2066-\u2069]+"
MAILBOX = r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"
LINK = re.compile(f"(?P<url>{URL})|(?P<mailbox>{MAILBOX})")
AFTER_A_LINK = ".,;:!?)]}'。、،؟"


class TextPiece(NamedTuple):
    """A part of a line; a link if it has an address."""

    text: str
    href: str | None = None


Line = list[TextPiece]


class TextBlock(NamedTuple):
    """A paragraph with its lines, or a list with its items."""

    lines: list[Line]
    is_list: bool


class TextSection(NamedTuple):
    """Blocks under a heading; those before the first heading have none."""

    heading: str | None
    blocks: list[TextBlock]


def read(text: str) -> list[TextSection]:
    """Return the sections of a text.

    A line that begins with "# " is a heading, lines that begin with "- " are a list, an empty line parts paragraphs,
    and any other line break stays one. Addresses of pages and mailboxes become links.
    """
    sections: list[TextSection] = [TextSection(None, [])]
    for paragraph in PARAGRAPHS.split(text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        for kind, group in groupby(lines, _kind):
            if kind == HEADING:
                sections += [TextSection(line.removeprefix(HEADING).strip(), []) for line in group]
            else:
                blocks = [_line(line.removeprefix(kind)) for line in group]
                sections[-1].blocks.append(TextBlock(blocks, is_list=kind == BULLET))
    return [section for section in sections if section.heading or section.blocks]


def _kind(line: str) -> str:
    return next((mark for mark in (HEADING, BULLET) if line.startswith(mark)), "")


def _line(text: str) -> Line:
    return [piece for piece in _pieces(text) if piece.text]


def _pieces(text: str) -> Iterator[TextPiece]:
    end = 0
    for found in LINK.finditer(text):
        shown = found[0].rstrip(AFTER_A_LINK)
        yield TextPiece(text[end : found.start()])
        yield TextPiece(shown, shown if found["url"] else f"mailto:{shown}")
        end = found.start() + len(shown)
    yield TextPiece(text[end:])
