"""Content codings: one at most, decompressed in bounded steps."""

import gzip
import itertools
import zlib
from time import process_time

import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.http import HttpFetcher
from tests.local_http import LocalHttp


def repeatable_block(content: bytes) -> bytes:
    """Return a part of a deflate stream that may be repeated in it."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush(zlib.Z_FULL_FLUSH)


TEXT = b"".join(b"<item>%d</item>" % number for number in range(30_000))
GZIPPED = gzip.compress(TEXT, 1, mtime=0)
EMPTY_MEMBER = gzip.compress(b"", mtime=0)  # the time would be a part of the tests' names
BOMB = zlib.compress(b"")[:2] + repeatable_block(b"x" * 1_000_000) * 100
ENDLESS_NAME = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"a" * 1_000_000  # a gzip header whose file name does not end


@pytest.fixture
def fetcher() -> HttpFetcher:
    return HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")])


def raw_deflate(content: bytes) -> bytes:
    assembler = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return assembler.compress(content) + assembler.flush()


def in_parts(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def refusal(fetcher: HttpFetcher, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("named", "body"),
    [
        ("gzip", GZIPPED),
        ("X-GZip", GZIPPED),
        ("identity, gzip", GZIPPED),
        ("gzip", gzip.compress(TEXT[:9]) + EMPTY_MEMBER + gzip.compress(TEXT[9:])),
        ("gzip", GZIPPED + b"\0" * 512),
        ("gzip", GZIPPED[:-8]),
        ("deflate", zlib.compress(TEXT, 1)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate", zlib.compress(TEXT, 1) + b"more"),
        ("identity", TEXT),
        ("none", TEXT),
        ("utf-8", TEXT),
        ("<b>", TEXT),
        ("utf-8, gzip", GZIPPED),
        ("", TEXT),
    ],
)
def test_one_coding_is_decompressed(site: LocalHttp, fetcher, named, body):
    whole = site.put("/whole", body, headers={"Content-Encoding": named})
    assert fetcher.fetch(whole).body == TEXT
    split = site.put("/split", in_parts(body, 1 + len(body) // 7), headers={"Content-Encoding": named})
    assert fetcher.fetch(split).body == TEXT


def test_a_member_that_is_split_after_its_first_byte_is_decompressed(site: LocalHttp, fetcher):
    first, second = gzip.compress(b"first"), gzip.compress(b"second")
    url = site.put("/feed", [first + second[:1], second[1:]], headers={"Content-Encoding": "gzip"}, pause=0.01)
    assert fetcher.fetch(url).body == b"firstsecond"


@pytest.mark.parametrize("named", ["gzip, gzip", "deflate, gzip", "gzip,identity,br", "gzip, gzip, gzip, gzip"])
def test_several_codings_are_refused(site: LocalHttp, fetcher, named):
    url = site.put("/feed", gzip.compress(GZIPPED), headers={"Content-Encoding": named})
    assert refusal(fetcher, url) == "The response is compressed more than once; only one compression is accepted."


@pytest.mark.parametrize("named", ["br", "zstd", "compress", "utf-8, br"])
def test_a_coding_that_was_not_asked_for_is_refused_by_name(site: LocalHttp, fetcher, named):
    url = site.put("/feed", TEXT, headers={"Content-Encoding": named})
    told = named.removeprefix("utf-8, ")
    assert refusal(fetcher, url) == f"The response is compressed with {told}; only gzip and deflate are accepted."


@pytest.mark.parametrize(
    ("named", "body"),
    [("gzip", TEXT), ("gzip", zlib.compress(TEXT, 1)), ("deflate", TEXT), ("gzip", GZIPPED[:50] + b"x" * 99)],
)
def test_a_body_that_is_not_in_its_coding_is_an_error(site: LocalHttp, fetcher, named, body):
    url = site.put("/feed", body, headers={"Content-Encoding": named})
    assert refusal(fetcher, url) == f"The response cannot be decompressed: the server says that it is {named}."


@pytest.mark.parametrize(("named", "body"), [("", b""), ("gzip", EMPTY_MEMBER), ("gzip", b""), ("deflate", b"x")])
def test_an_empty_document_is_an_error(site: LocalHttp, fetcher, named, body):
    url = site.put("/feed", body, headers={"Content-Encoding": named})
    assert refusal(fetcher, url) == "The server sent an empty document."


@pytest.mark.parametrize(
    ("named", "body", "told"),
    [
        ("gzip", itertools.repeat(ENDLESS_NAME[10:]), "larger than 5 MB"),
        ("gzip", EMPTY_MEMBER * 100_000, "more than 1000 parts"),
        ("gzip", gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 2_000_000, "larger than 5 MB"),
        ("deflate", b"\0\0\0\xff\xff" * 2_000_000, "larger than 5 MB"),
        ("deflate", BOMB, "larger than 5 MB"),
    ],
    ids=["endless name", "empty members", "empty blocks", "empty blocks of deflate", "zeros"],
)
def test_a_body_that_yields_nothing_or_too_much_costs_little(site: LocalHttp, fetcher, named, body, told):
    parts = itertools.chain([ENDLESS_NAME[:10]], body) if named == "gzip" and not isinstance(body, bytes) else body
    url = site.put("/feed", parts, headers={"Content-Encoding": named})
    before = process_time()
    assert told in refusal(fetcher, url)
    assert process_time() - before < 3
