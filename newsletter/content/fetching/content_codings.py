"""Decompress a response of at most one content coding, in small steps (RFC 9110 section 8.4.1).

Several codings multiply: a few kilobytes in four layers keep a processor busy for hours without one byte of output.
With one coding, the work is proportional to the input and the output, and both are bounded.
"""

import zlib
from collections.abc import Iterable, Iterator

from newsletter.content.fetching.destinations import FetchError

GZIP, DEFLATE = "gzip", "deflate"
NAMES = {"gzip": GZIP, "x-gzip": GZIP, "deflate": DEFLATE}
# Codings that nobody asked for: those of IANA's registry, and older ones. Browsers and proxies decode some of them.
UNASKED = {
    *["br", "dcb", "zstd", "dcz", "compress", "x-compress", "bzip2", "x-bzip2", "xz", "lzma", "sdch", "exi"],
    *["pack200-gzip", "aes128gcm"],
}
PIECE = 65_536  # bytes of output at a time
MAX_MEMBERS = 1000  # of a gzip file; each costs a decompressor, even if it is empty
MEMBER_START = b"\x1f\x8b"  # RFC 1952 section 2.3.1


def named(fields: Iterable[str]) -> str | None:
    """Return the one coding that the Content-Encoding fields name, or None.

    Raises FetchError for several, and for one that was not asked for. A name that no coding has, such as utf-8 or none,
    is a server's mistake and changes nothing, as in browsers.
    """
    names = [name.strip().lower() for field in fields for name in field.split(",")]
    codings = [name for name in names if name in NAMES or name in UNASKED]
    if not codings:
        return None
    if len(codings) > 1:
        raise FetchError("The response is compressed more than once; only one compression is accepted.")
    if codings[0] not in NAMES:
        raise FetchError(f"The response is compressed with {codings[0]}; only gzip and deflate are accepted.")
    return NAMES[codings[0]]


def decompressed(chunks: Iterable[bytes], coding: str | None) -> Iterator[bytes]:
    """Yield the content of a body in pieces. Raises FetchError if it is not in the coding.

    A body that ends early yields what it contains; its reader sees that the document is not complete.
    """
    if coding is None:
        return iter(chunks)
    return _members(chunks) if coding == GZIP else _deflated(chunks)


def _members(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a gzip file of one or more members (RFC 1952 section 2.2); ignore anything else behind them."""
    decompressor, members, rest = zlib.decompressobj(wbits=31), 1, b""
    for chunk in chunks:
        rest += chunk
        while rest:
            if decompressor.eof:
                if len(rest) < len(MEMBER_START) and MEMBER_START.startswith(rest):
                    break  # the next chunk shows whether this begins a member
                if not rest.startswith(MEMBER_START):
                    return
                decompressor, members = zlib.decompressobj(wbits=31), members + 1
                if members > MAX_MEMBERS:
                    raise FetchError(f"The response is a gzip file of more than {MAX_MEMBERS} parts.")
            yield from _pieces(decompressor, rest, GZIP)
            rest = decompressor.unused_data


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress deflate data in the zlib format (RFC 1950), or without it, as some servers send it."""
    decompressor, waiting = None, b""
    for chunk in chunks:
        waiting += chunk
        if decompressor is None and len(waiting) < 2:
            continue  # the format's header has two bytes
        if decompressor is None:
            is_zlib = waiting[0] & 0x0F == zlib.DEFLATED and int.from_bytes(waiting[:2]) % 31 == 0
            decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        yield from _pieces(decompressor, waiting, DEFLATE)
        waiting = b""
        if decompressor.eof:
            return


def _pieces(decompressor: "zlib._Decompress", data: bytes, coding: str) -> Iterator[bytes]:
    """Decompress all of `data`, at most PIECE bytes of output at a time."""
    try:
        piece = b""
        # A full piece may leave output behind although no input is left.
        while not decompressor.eof and (data or len(piece) == PIECE):
            piece = decompressor.decompress(data, PIECE)
            data = decompressor.unconsumed_tail
            if piece:
                yield piece
    except zlib.error as error:
        raise FetchError(f"The response cannot be decompressed: the server says that it is {coding}.") from error
