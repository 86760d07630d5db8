"""Tell what kind of image a file is and how large it is shown, from its header; nothing is decoded."""

from io import BytesIO
from typing import NamedTuple

import imagesize

# `imagesize` knows more kinds, among them SVG, which is XML: only what starts as one of these is given to it.
TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
}


class ImageSize(NamedTuple):
    """An image's media type and its size in pixels, turned as its EXIF data says."""

    type: str
    width: int
    height: int


def measure(body: bytes) -> ImageSize | None:
    """The size of a PNG, GIF, JPEG or WebP file; None for anything else, whatever its server calls it."""
    kind = next((kind for magic, kind in TYPES.items() if body.startswith(magic)), None)
    if kind is None:
        return None
    width, height = imagesize.get(BytesIO(body))  # -1 for what it cannot read; it never raises
    return ImageSize(kind, width, height) if width > 0 and height > 0 else None
