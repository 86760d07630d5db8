"""The icon of a newsletter, drawn in its color: a page with a headline and two lines.

The few rectangles are written as SVG, and as the picture in a Windows icon for browsers and programs that ask for
/favicon.ico, whatever a page says.
"""

import zlib
from struct import pack

from newsletter.appearance import colors

SIZE = 32  # pixels
LINES = ((6, 7, 20, 5), (6, 16, 20, 3), (6, 22, 13, 3))  # left, top, width and height, white
WHITE = b"\xff\xff\xff"


def svg(brand: str) -> str:
    """Return the icon in a brand color #rrggbb, darkened until white is legible on it."""
    lines = "".join(f"M{left} {top}h{width}v{height}h-{width}z" for left, top, width, height in LINES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">'
        f'<path fill="{colors.accents(brand).light}" d="M0 0h{SIZE}v{SIZE}H0z"/><path fill="#fff" d="{lines}"/></svg>\n'
    )


def ico(brand: str) -> bytes:
    """Return the same icon as a Windows icon that contains one PNG."""
    picture = _png(brand)
    directory = pack("<HHH", 0, 1, 1)  # reserved, icon, number of pictures
    entry = pack("<BBBBHHII", SIZE, SIZE, 0, 0, 1, 24, len(picture), len(directory) + 16)
    return directory + entry + picture


def _png(brand: str) -> bytes:
    color = bytes.fromhex(colors.accents(brand).light[1:])
    rows = b"".join(b"\0" + b"".join(WHITE if _is_line(x, y) else color for x in range(SIZE)) for y in range(SIZE))
    header = pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _is_line(x: int, y: int) -> bool:
    return any(left <= x < left + width and top <= y < top + height for left, top, width, height in LINES)
