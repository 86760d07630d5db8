"""Mail merge: lay a letter out once, cut it at its fields, and fill the fields for each reader.

A template prints `marker("name")` where a field belongs. `lay_out` encodes the whole letter, headers included, and cuts
the *encoded* bytes at the markers. A letter to one reader then costs one pass over its few fields and shares all other
bytes with the other readers. This works because a field in a part starts a quoted-printable line of its own, between
soft line breaks: its value never changes the encoding of its neighbors.
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
from newsletter.mail.letters.fields import BODY_KINDS, BYTES_KINDS, MAX_HEADER_VALUE, WRITERS, FieldKind, encoded

# Random in each process and never sent, so that no title and no name can contain a marker.
SECRET = secrets.token_hex(8)
MARKER = re.compile(rf"Q{SECRET}Q([a-z][a-z0-9_]*)Z")
SUBJECT = b"\r\nSubject:"


class FieldError(NewsletterError):
    """A field of the mail merge cannot be filled."""


class Cut(NamedTuple):
    """The place of a field in the encoded letter. Stored in `variants.cuts`."""

    position: int
    field: str
    kind: FieldKind


class Placeholder(NamedTuple):
    """A field between two encoded pieces."""

    field: str
    kind: FieldKind


Piece = bytes | Placeholder


class FieldPlan(NamedTuple):
    """How to insert the value of one field. Places are indexes of pieces."""

    field: str
    accepts_bytes: bool  # whether a value in bytes can be inserted unchanged at all places
    in_headers: tuple[int, ...]
    in_parts: tuple[int, ...]
    writers: tuple[tuple[Callable[[str], bytes], tuple[int, ...]], ...]  # each encoder with its places


class Sheet:
    """A letter that is laid out. `body` and `cuts` are its whole state: once loaded they make the same letter."""

    def __init__(self, *, body: bytes, cuts: Iterable[Iterable[Any]]) -> None:
        self.body = body
        self.cuts = [Cut(position, field, FieldKind(kind)) for position, field, kind in cuts]
        self.fields = frozenset(cut.field for cut in self.cuts)
        edges = [0, *(cut.position for cut in self.cuts), len(body)]
        shared = [body[start:end] for start, end in pairwise(edges)]
        self._pieces = [piece for each in shared for piece in (each, b"")][:-1]  # every second piece is for a field
        # Planned once, because `fill` runs for every letter.
        self._plans = [self._plan(field) for field in sorted(self.fields)]

    def _plan(self, field: str) -> FieldPlan:
        places: dict[FieldKind, tuple[int, ...]] = {}
        for number, cut in enumerate(self.cuts):
            if cut.field == field:
                places[cut.kind] = (*places.get(cut.kind, ()), 2 * number + 1)
        in_parts = chain.from_iterable(at for kind, at in places.items() if kind in BODY_KINDS)
        in_headers = chain.from_iterable(at for kind, at in places.items() if kind not in BODY_KINDS)
        return FieldPlan(
            field,
            any(places.keys() <= kinds for kinds in BYTES_KINDS),
            tuple(in_headers),
            tuple(in_parts),
            tuple((WRITERS[kind], at) for kind, at in places.items()),
        )

    @property
    def source(self) -> bytes:
        """The cuts as JSON, a line break and the body: the bytes that the hash covers."""
        return json.dumps(self.cuts).encode() + b"\n" + self.body

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of `source`, in hex."""
        return sha256(self.source).hexdigest()

    def fill(self, values: Mapping[str, str | bytes]) -> list[bytes]:
        """Return the letter to one reader as pieces: in turns shared bytes (one object for all readers) and a field.

        A value in bytes needs no encoding (`fields.as_bytes`, `fields.beside_to`). Raises FieldError if a value is
        missing, is for no field of the letter, or cannot be written at its place. The error does not quote the value.
        """
        if values.keys() != self.fields:
            unmatched = ", ".join(sorted(values.keys() ^ self.fields))
            raise FieldError(f"the fields of the letter differ from the values given: {unmatched}")
        pieces = self._pieces.copy()
        for field, accepts_bytes, in_headers, in_parts, writers in self._plans:
            value = values[field]
            if isinstance(value, bytes):
                if accepts_bytes:
                    for place in in_headers:
                        pieces[place] = value
                    lines = value if len(value) <= quoted_printable.CHUNK_LENGTH else quoted_printable.wrap(value)
                    for place in in_parts:
                        pieces[place] = lines
                    continue
                value = value.decode("ascii").strip(" ")
            try:
                for write, at in writers:
                    encoded_value = write(value)
                    for place in at:
                        pieces[place] = encoded_value
            except ValueError as error:
                raise FieldError(f"the field {field} cannot be filled: {error}") from None
        return pieces

    def with_values(self, values: Mapping[str, str]) -> "Sheet":
        """Return the letter with these of its fields filled with the same value for everybody."""
        edges = [0, *(cut.position for cut in self.cuts), len(self.body)]
        pieces: list[Piece] = []
        for cut, (start, end) in zip([None, *self.cuts], pairwise(edges), strict=True):
            if cut:
                given = cut.field in values
                pieces.append(WRITERS[cut.kind](values[cut.field]) if given else Placeholder(cut.field, cut.kind))
            pieces.append(self.body[start:end])
        return _cut(pieces)

    def with_subject_mark(self, mark: str) -> "Sheet":
        """Return the letter with a word of printable ASCII before its subject, on a line of its own (RFC 5322, 2.2.3).

        The letter's other headers and both parts stay as they are.
        """
        place = self.body.index(SUBJECT) + len(SUBJECT)
        inserted = f" {mark}\r\n".encode("ascii")
        moved = [(cut.position + len(inserted) * (cut.position >= place), *cut[1:]) for cut in self.cuts]
        return Sheet(body=self.body[:place] + inserted + self.body[place:], cuts=moved)


def marker(name: str) -> str:
    """Return the text that a template prints for a field: ASCII letters, digits and _, which no escaping changes.

    `lay_out` recognizes markers of the same process only; a letter that is laid out holds none. Raises FieldError if
    the name is not made of a to z, 0 to 9 and _, beginning with a letter.
    """
    text = f"Q{SECRET}Q{name}Z"
    if not MARKER.fullmatch(text):
        raise FieldError(f"the name of a field is made of a to z, 0 to 9 and _, not {name!r}")
    return text


def lay_out(message: EmailMessage, fields: Collection[str]) -> Sheet:
    """Encode a multipart/alternative message with the policy `mime.LETTER`, and cut it at the markers of `fields`.

    The same message gives the same bytes, boundary included. Raises FieldError if a field of `fields` is not in the
    message, if the message has another field, or if a field is where none is allowed.
    """
    if message.get_content_type() != "multipart/alternative":
        raise FieldError("a letter must be multipart/alternative, with text and HTML")
    parts = [[*_part(part)] for part in message.iter_parts()]
    # "=_" occurs in no quoted-printable line, so neither does the boundary (RFC 2045 section 6.7)
    boundary = b"=_" + _cut(piece for part in parts for piece in part).sha256[:32].encode()
    pieces = [*_headers(message), b"MIME-Version: 1.0\r\n"]
    pieces.append(b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n' % boundary)
    for part in parts:
        pieces += [b"\r\n--%b\r\n" % boundary, *part]
    sheet = _cut([*pieces, b"\r\n--%b--\r\n" % boundary])
    if sheet.fields != set(fields):
        unmatched = ", ".join(sorted(sheet.fields ^ set(fields)))
        raise FieldError(f"the fields of the letter differ from its list of fields: {unmatched}")
    return sheet


def _cut(pieces: Iterable[Piece]) -> Sheet:
    body = bytearray()
    cuts = []
    for piece in pieces:
        if isinstance(piece, Placeholder):
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
        yield Placeholder(field, kind)
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
        elif key in mime.TEXT_HEADERS:
            yield from _text(name, value)
        else:
            yield from _verbatim(name, value)


def _address(name: str, value: str) -> Iterator[Piece]:
    match = MARKER.fullmatch(value)
    if not match:
        raise FieldError(f"{name} must hold one field and nothing else")
    yield b"%b:" % name.encode("ascii")
    yield Placeholder(match[1], FieldKind.ADDRESS)
    yield b"\r\n"


def _text(name: str, value: str) -> Iterator[Piece]:
    # Every piece of a text with fields is encoded: a reader ignores the white space between encoded-words (RFC 2047
    # section 6.2), so an empty field leaves no gap between its neighbors.
    yield b"%b:" % name.encode("ascii")
    static, *rest = MARKER.split(mime.BLANKS.sub(" ", value).strip(" "))
    yield encoded(static).replace(b"\r\n", b"", 1)
    for field, after in zip(rest[::2], rest[1::2], strict=True):
        yield Placeholder(field, FieldKind.WORDS)
        yield encoded(after)
    yield b"\r\n"


def _verbatim(name: str, value: str) -> Iterator[Piece]:
    for line in mime.LETTER.fold(name, value).splitlines(keepends=True):
        static, *rest = MARKER.split(line)
        longest = len(MARKER.sub("", line.rstrip())) + MAX_HEADER_VALUE * len(rest[::2])
        if longest > mime.MAX_LINE_LENGTH:
            raise FieldError(
                f"{name} has a line that its fields could make longer than {mime.MAX_LINE_LENGTH} characters"
            )
        yield static.encode("ascii")
        for field, after in zip(rest[::2], rest[1::2], strict=True):
            yield Placeholder(field, FieldKind.VERBATIM)
            yield after.encode("ascii")
