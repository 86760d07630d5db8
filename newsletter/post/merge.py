"""Mail merge: a letter is laid out once, and cut where its readers differ."""

from collections.abc import Collection, Iterable, Mapping
from email.message import EmailMessage
from enum import StrEnum
from typing import Any, NamedTuple


def marker(name: str) -> str:
    """What a template prints where the field `name` is to stand: letters and digits, which no escaping changes."""
    return name


class Kind(StrEnum):
    """How a field's value is written, decided by where its marker stands."""

    ADDRESS = "address"
    VERBATIM = "verbatim"
    WORDS = "words"
    TEXT = "text"
    HTML = "html"


class Cut(NamedTuple):
    """Where a field stands in the encoded letter."""

    position: int
    field: str
    kind: Kind


class Sheet:
    """A letter laid out: what all its readers get, and where they differ."""

    body: bytes
    cuts: list[Cut]

    def __init__(self, *, body: bytes, cuts: Iterable[Iterable[Any]]) -> None:
        self.body = body
        self.cuts = [Cut(position, field, Kind(kind)) for position, field, kind in cuts]

    def fill(self, values: Mapping[str, str]) -> list[bytes]:
        """The letter to one reader, in pieces."""
        raise NotImplementedError


def lay_out(message: EmailMessage, fields: Collection[str]) -> Sheet:
    """Serialise a multipart/alternative letter once and cut it at the markers of `fields`."""
    raise NotImplementedError
