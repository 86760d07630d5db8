"""Mail merge: a letter is laid out once, and cut where its readers differ.

A template prints `marker("name")` where a field is to stand. `lay_out` encodes the whole letter, headers and all, and
cuts it at the markers: in the *encoded* bytes, so that a letter to one reader costs one pass over its few fields and
shares everything else with all others. That works because a field in a part stands at the start of a quoted-printable
line of its own, between soft breaks: whatever it holds, its neighbours stay as they are.
"""

import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from email.message import EmailMessage, MIMEPart
from functools import cached_property
from hashlib import sha256
from itertools import chain, pairwise
from typing import Any, NamedTuple

from newsletter.errors import NewsletterError
from newsletter.mail.letters import mime, quoted_printable
from newsletter.mail.letters.fields import IN_PARTS, LONGEST_VALUE, UNENCODED, WRITERS, FieldKind, encoded

# New in each process, so that no title and no name can be a marker: nobody outside ever sees one.
SECRET = secrets.token_hex(8)
MARKER = re.compile(rf"Q{SECRET}Q([a-z][a-z0-9_]*)Z")


class FieldError(NewsletterError):
    """A field of the mail merge cannot be filled."""


class Cut(NamedTuple):
    """Where a field goes into the encoded letter."""

    position: int
    field: str
    kind: FieldKind


class Gap(NamedTuple):
    """A place for a field between two encoded pieces."""

    field: str
    kind: FieldKind


Piece = bytes | Gap


class Way(NamedTuple):
    """How a field's value gets to its places, which are numbers of pieces."""

    field: str
    takes_octets: bool
    in_headers: tuple[int, ...]
    in_parts: tuple[int, ...]
    kinds: tuple[tuple[Callable[[str], bytes], tuple[int, ...]], ...]


class Sheet:
    """A letter laid out. `body` and `cuts` are all of it: stored and loaded, they make the same letters again."""

    def __init__(self, *, body: bytes, cuts: Iterable[Iterable[Any]]) -> None:
        self.body = body
        self.cuts = [Cut(position, field, FieldKind(kind)) for position, field, kind in cuts]
        self.fields = frozenset(cut.field for cut in self.cuts)
        edges = [0, *(cut.position for cut in self.cuts), len(body)]
        shared = [body[start:end] for start, end in pairwise(edges)]
        self._pieces = [piece for each in shared for piece in (each, b"")][:-1]  # each second one is a field's place
        # What fill has to do is planned once: a million letters should not find it out a million times.
        self._plan = [self._way(field) for field in sorted(self.fields)]

    def _way(self, field: str) -> Way:
        places: dict[FieldKind, tuple[int, ...]] = {}
        for number, cut in enumerate(self.cuts):
            if cut.field == field:
                places[cut.kind] = (*places.get(cut.kind, ()), 2 * number + 1)
        in_parts = chain.from_iterable(where for kind, where in places.items() if kind in IN_PARTS)
        in_headers = chain.from_iterable(where for kind, where in places.items() if kind not in IN_PARTS)
        return Way(
            field,
            any(places.keys() <= alike for alike in UNENCODED),
            tuple(in_headers),
            tuple(in_parts),
            tuple((WRITERS[kind], where) for kind, where in places.items()),
        )

    @property
    def source(self) -> bytes:
        """All of it: the cuts as JSON, a line break, and the body."""
        return json.dumps(self.cuts).encode() + b"\n" + self.body

    @cached_property
    def sha256(self) -> str:
        """Of the source."""
        return sha256(self.source).hexdigest()

    def fill(self, values: Mapping[str, str | bytes]) -> list[bytes]:
        """The letter to one reader, in pieces: in turns one that everybody shares, as the same object, and a field.

        A value in octets needs no encoding where it stands (`fields.plainly`, `fields.beside_to`). Raises FieldError,
        before anything is written, when a value is missing, unknown or not fit for its place.
        """
        if values.keys() != self.fields:
            odd = ", ".join(sorted(values.keys() ^ self.fields))
            raise FieldError(f"the letter and the values differ in their fields: {odd}")
        pieces = self._pieces.copy()
        for field, takes_octets, in_headers, in_parts, kinds in self._plan:
            value = values[field]
            if isinstance(value, bytes):
                if takes_octets:
                    for place in in_headers:
                        pieces[place] = value
                    lines = value if len(value) <= quoted_printable.WIDTH else quoted_printable.wrapped(value)
                    for place in in_parts:
                        pieces[place] = lines
                    continue
                value = value.decode("ascii").strip(" ")
            try:
                for write, where in kinds:
                    written = write(value)
                    for place in where:
                        pieces[place] = written
            except ValueError as error:
                raise FieldError(f"the field {field} cannot be filled: {error}") from None
        return pieces


def marker(name: str) -> str:
    """What a template prints where the field stands: a word of ASCII letters, digits and _, which no escaping changes.

    Good for `lay_out` in this process; what was laid out is good for ever.
    """
    mark = f"Q{SECRET}Q{name}Z"
    if not MARKER.fullmatch(mark):
        raise FieldError(f"a field's name is made of a to z, 0 to 9 and _, not {name!r}")
    return mark


def lay_out(message: EmailMessage, fields: Collection[str]) -> Sheet:
    """Encode a multipart/alternative letter of mime.LETTER, and cut it at the markers of `fields`.

    The same message gives the same bytes, boundary included. Raises FieldError when a field stands nowhere, when one
    stands that is not named, or where none can.
    """
    if message.get_content_type() != "multipart/alternative":
        raise FieldError("a letter is multipart/alternative: text and HTML")
    parts = [[*_part(part)] for part in message.iter_parts()]
    # "=_" occurs in no quoted-printable line, so neither does the boundary (RFC 2045 section 6.7)
    boundary = b"=_" + _cut(piece for part in parts for piece in part).sha256[:32].encode()
    pieces = [*_headers(message), b"MIME-Version: 1.0\r\n"]
    pieces.append(b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n' % boundary)
    for part in parts:
        pieces += [b"\r\n--%b\r\n" % boundary, *part]
    sheet = _cut([*pieces, b"\r\n--%b--\r\n" % boundary])
    if sheet.fields != set(fields):
        odd = ", ".join(sorted(sheet.fields ^ set(fields)))
        raise FieldError(f"the letter and the list of its fields differ: {odd}")
    return sheet


def _cut(pieces: Iterable[Piece]) -> Sheet:
    body = bytearray()
    cuts = []
    for piece in pieces:
        if isinstance(piece, Gap):
            cuts.append(Cut(len(body), *piece))
        else:
            body += piece
    return Sheet(body=bytes(body), cuts=cuts)


def _part(part: MIMEPart) -> Iterator[Piece]:
    subtype = part.get_content_subtype()
    yield b'Content-Type: text/%b; charset="utf-8"\r\n' % subtype.encode("ascii")
    yield b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    kind = FieldKind.HTML if subtype == "html" else FieldKind.TEXT
    before, *rest = MARKER.split(quoted_printable.LINE_BREAK.sub("\n", part.get_content()))
    yield quoted_printable.encode(before)
    for field, after in zip(rest[::2], rest[1::2], strict=True):
        if before and not before.endswith("\n"):
            yield quoted_printable.SOFT_BREAK
        yield Gap(field, kind)
        if not after.startswith("\n"):
            yield quoted_printable.SOFT_BREAK
        yield quoted_printable.encode(after)
        before = after


def _headers(message: EmailMessage) -> Iterator[Piece]:
    for name, value in message.items():
        key = name.lower()
        if key.startswith("content-") or key == "mime-version":
            continue
        if not MARKER.search(value):
            yield mime.LETTER.fold_binary(name, value)
        elif key == "to":
            yield from _address(name, value)
        elif key in mime.TEXTS:
            yield from _words(name, value)
        else:
            yield from _verbatim(name, value)


def _address(name: str, value: str) -> Iterator[Piece]:
    found = MARKER.fullmatch(value)
    if not found:
        raise FieldError(f"{name} holds one field and nothing else")
    yield b"%b:" % name.encode("ascii")
    yield Gap(found[1], FieldKind.ADDRESS)
    yield b"\r\n"


def _words(name: str, value: str) -> Iterator[Piece]:
    # Each piece of a text with fields is encoded: encoded-words on lines of their own are read without the blanks
    # between them (RFC 2047 section 6.2), so a field's neighbours need not know whether it is empty.
    yield b"%b:" % name.encode("ascii")
    static, *rest = MARKER.split(mime.BLANKS.sub(" ", value).strip(" "))
    yield encoded(static).replace(b"\r\n", b"", 1)
    for field, after in zip(rest[::2], rest[1::2], strict=True):
        yield Gap(field, FieldKind.WORDS)
        yield encoded(after)
    yield b"\r\n"


def _verbatim(name: str, value: str) -> Iterator[Piece]:
    for line in mime.LETTER.fold(name, value).splitlines(keepends=True):
        static, *rest = MARKER.split(line)
        longest = len(MARKER.sub("", line.rstrip())) + LONGEST_VALUE * len(rest[::2])
        if longest > mime.LONGEST_LINE:
            raise FieldError(f"{name} has too much on one line for its fields")
        yield static.encode("ascii")
        for field, after in zip(rest[::2], rest[1::2], strict=True):
            yield Gap(field, FieldKind.VERBATIM)
            yield after.encode("ascii")
