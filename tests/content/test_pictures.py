"""Pictures: measured from their header, and copied once for recent articles."""

import hashlib
import struct
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.content import pictures
from newsletter.content.articles import Article
from newsletter.content.downloading.downloader import MAX_PICTURE_BYTES
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.parsing.image_size import ImageSize, measure
from newsletter.content.pictures import MAX_AGE, Picture
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, downloads, store, with_picture
from tests.shared_data import shared

sizes = st.integers(1, 16383)


def png(width: int, height: int, body: bytes = b"") -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0) + body


def jpeg(width: int, height: int, exif: bytes = b"Exif\0\0\xff\xc0") -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
    return b"\xff\xd8" + segment + b"\xff\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + body


@given(sizes, sizes)
def test_every_kind_of_image_is_measured(width, height):
    three = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    lossless = struct.pack("<BI", 0x2F, (width - 1) | (height - 1) << 14)
    assert measure(png(width, height)) == ImageSize("image/png", width, height)
    assert measure(jpeg(width, height)) == ImageSize("image/jpeg", width, height)
    assert measure(b"GIF89a" + struct.pack("<HH", width, height)) == ImageSize("image/gif", width, height)
    assert measure(webp(b"VP8X", bytes(4) + three)) == ImageSize("image/webp", width, height)
    assert measure(webp(b"VP8L", lossless)) == ImageSize("image/webp", width, height)
    frame = b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
    assert measure(webp(b"VP8 ", frame)) == ImageSize("image/webp", width, height)


def test_the_exif_rotation_is_applied_to_the_size():
    turned = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    assert measure(jpeg(4000, 3000, exif=turned)) == ImageSize("image/jpeg", 3000, 4000)


@given(
    st.sampled_from([png(5, 5), jpeg(5, 5), b"GIF89a\5\0\5\0", webp(b"VP8X", bytes(10)), b"\xff\xd8\xff"]), st.data()
)
def test_measuring_a_truncated_or_damaged_file_never_raises(file, data):
    cut = file[: data.draw(st.integers(0, len(file)))] + data.draw(st.binary(max_size=400))
    found = measure(cut)
    assert found is None or (found.width > 0 and found.height > 0)


@pytest.mark.parametrize(
    "part", [b"\xff", b"\xff\xd0", b"\xff\xe1\0\2", b"\xff\xe1\0\0", b"\xff\xe1\0\x10Exif\0\0MM\0*\0\0\0\x08"]
)
def test_a_jpeg_made_of_endless_segments_is_not_measured(part):
    assert measure((b"\xff\xd8\xff\xd0" + part * MAX_PICTURE_BYTES)[:MAX_PICTURE_BYTES]) is None


@pytest.mark.parametrize("file", [b"", b"<svg/>", b"<html>", b"BM" + bytes(60), b"GIF88a\5\0\5\0", b"RIFF" + bytes(60)])
def test_other_files_are_not_measured(file):
    assert measure(file) is None


def test_pictures_of_a_publisher_are_measured():
    folder = shared("feeds/18f") / "img"
    assert {file.name: measure(file.read_bytes()) for file in folder.iterdir()} == {
        "TDP-checkin--emotion-chart.jpg": ImageSize("image/jpeg", 1622, 1081),
        "dawson-home.png": ImageSize("image/png", 2294, 1652),
        "example1-senior-executives-part4.png": ImageSize("image/png", 1142, 642),
        "hyder.png": ImageSize("image/png", 280, 353),
        "jonnalagadda.jpg": ImageSize("image/jpeg", 221, 320),
        "portfolio-scope.png": ImageSize("image/png", 1210, 626),
        "refreshed-screenshot-collage.jpg": ImageSize("image/jpeg", 1200, 800),
    }


@pytest.fixture
def offered(begin):
    """A function that stores articles with pictures of these names."""
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))

    def offer(*names: str, now=NOON) -> None:
        with begin() as session:
            entries = [with_picture(name) for name in names]
            store(session, feed, *entries, is_complete=False, now=now)

    return offer


def shown(begin) -> dict[str, str | None]:
    with begin() as session:
        return dict(session.execute(select(Article.title, Article.picture_sha256)).all())


def test_a_picture_is_stored_under_the_hash_of_its_content(begin, offered):
    offered("bus", "bridge")
    file = png(600, 400)
    downloader = downloads({"https://press.example/bus.png": file, "https://press.example/bridge.png": file})
    assert pictures.copy_new(begin, downloader, now=NOON) == 2
    sha256 = hashlib.sha256(file).hexdigest()
    assert shown(begin) == {"About bus": sha256, "About bridge": sha256}
    with begin() as session:
        kept = session.scalars(select(Picture)).one()
        assert (kept.sha256, kept.type, kept.width, kept.height, kept.body) == (sha256, "image/png", 600, 400, file)


def test_a_picture_is_tried_once(begin, offered):
    offered("bus")
    assert pictures.copy_new(begin, downloads(), now=NOON) == 1
    assert pictures.copy_new(begin, downloads({"https://press.example/bus.png": png(600, 400)}), now=NOON) == 0
    assert shown(begin) == {"About bus": None}


@pytest.mark.parametrize(
    "file",
    [
        *[png(99, 600), png(9000, 600), png(600, 9000), b"<svg/>", b"", png(600, 400, bytes(MAX_PICTURE_BYTES))],
        FetchError("The server answered 404 Not Found."),
    ],
    ids=["narrow", "wide", "tall", "svg", "empty", "large", "missing"],
)
def test_an_unsuitable_picture_is_not_shown_and_does_not_affect_others(begin, offered, file):
    offered("bus", "bridge")
    good = png(600, 400)
    pictures.copy_new(
        begin, downloads({"https://press.example/bus.png": file, "https://press.example/bridge.png": good}), now=NOON
    )
    assert shown(begin) == {"About bus": None, "About bridge": hashlib.sha256(good).hexdigest()}


def test_pictures_of_old_articles_are_not_copied(begin, offered):
    offered("bus")
    assert pictures.copy_new(begin, downloads(), now=NOON + MAX_AGE) == 0


def test_the_newest_articles_get_their_pictures_first(begin, offered):
    offered("bridge", "bus")
    offered("orchard", now=NOON + timedelta(hours=1))
    downloader = downloads(
        {f"https://press.example/{name}.png": png(600, 400) for name in ("bus", "bridge", "orchard")}
    )
    assert pictures.copy_new(begin, downloader, now=NOON, limit=2) == 2
    assert sorted(title for title, sha in shown(begin).items() if sha) == ["About bridge", "About orchard"]
