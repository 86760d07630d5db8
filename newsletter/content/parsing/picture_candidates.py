"""Choose the pictures that may lead an article, the best first."""

from dataclasses import dataclass
from enum import IntEnum


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
