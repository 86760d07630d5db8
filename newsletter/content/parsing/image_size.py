"""Read an image's type and displayed size from its header, without decoding it."""

from io import BytesIO
from typing import NamedTuple

import imagesize

# `imagesize` reads more types, among them SVG, which is XML. So only files with one of these signatures reach it.
TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
}


class ImageSize(NamedTuple):
    """An image's media type and its size in pixels, with the EXIF rotation applied."""

    type: str
    width: int
    height: int


def measure(body: bytes) -> ImageSize | None:
    """Return the type and size of a PNG, GIF, JPEG or WebP file; None for any other or a damaged file."""
    media_type = next((media_type for signature, media_type in TYPES.items() if body.startswith(signature)), None)
    if media_type is None:
        return None
    width, height = imagesize.get(BytesIO(body))  # -1 if it cannot read the file; it never raises
    return ImageSize(media_type, width, height) if width > 0 and height > 0 else None
