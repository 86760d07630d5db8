"""Measuring: what kind of image a file is and how large, from its first bytes. Nothing is decoded."""

import struct
from typing import NamedTuple

STANDALONE = (0x01, *range(0xD0, 0xD9))  # JPEG markers without a length
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG start-of-frame markers (ITU T.81, table B.1)


class ImageSize(NamedTuple):
    """An image's media type and its size in pixels."""

    type: str
    width: int
    height: int


def measure(body: bytes) -> ImageSize | None:
    """The measure of a PNG, GIF, JPEG or WebP file; None for anything else, whatever its server calls it."""
    try:
        for magic, read in READERS.items():
            if body.startswith(magic):
                return read(body)
    except (struct.error, IndexError):
        pass  # cut off
    return None


def _png(body: bytes) -> ImageSize | None:
    """W3C PNG, section 11.2.1: IHDR comes first."""
    width, height = struct.unpack_from(">II", body, 16)
    return ImageSize("image/png", width, height) if body[12:16] == b"IHDR" else None


def _gif(body: bytes) -> ImageSize | None:
    """GIF89a, section 18: the logical screen."""
    width, height = struct.unpack_from("<HH", body, 6)
    return ImageSize("image/gif", width, height) if body[:6] in (b"GIF87a", b"GIF89a") else None


def _jpeg(body: bytes) -> ImageSize | None:
    """ITU T.81, annex B: walk from marker to marker as far as the frame's header."""
    at = 2
    while body[at] == 0xFF:
        marker = body[at + 1]
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", body, at + 5)
            return ImageSize("image/jpeg", width, height)
        if marker == 0xFF:  # padding
            at += 1
        elif marker in STANDALONE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", body, at + 2)[0]
    return None


def _webp(body: bytes) -> ImageSize | None:
    """RFC 9649: an extended, a lossless or a lossy image."""
    if body[8:12] != b"WEBP":
        return None
    match body[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (24, 27))
        case b"VP8L":
            bits = struct.unpack_from("<I", body, 21)[0]
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 26))
        case _:
            return None
    return ImageSize("image/webp", width, height)


READERS = {b"\x89PNG\r\n\x1a\n": _png, b"GIF8": _gif, b"\xff\xd8\xff": _jpeg, b"RIFF": _webp}
