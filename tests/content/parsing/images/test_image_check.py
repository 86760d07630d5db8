"""A picture is shown only if it is sound, of a common type and of a sensible size."""

import random
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from newsletter.content.parsing.images.image_check import MAX_FRAMES, CheckedImage, PictureUnsuitable, check
from tests.content.images import animation, image_file, saved
from tests.shared_data import shared

TYPES = {"PNG": "image/png", "GIF": "image/gif", "JPEG": "image/jpeg", "WEBP": "image/webp"}
FILES = [image_file(120, 110, kind) for kind in TYPES] + [
    animation(120, 110, kind, frames=3) for kind in ("GIF", "PNG")
]


def noise(kind: str) -> bytes:
    """Return a file that cannot be compressed, so that a cut removes a part of the picture."""
    return saved(Image.frombytes("RGB", (200, 200), random.Random(7).randbytes(200 * 200 * 3)), kind)


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG with this size in its header and no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, b"IDAT")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", TYPES)
def test_the_type_and_size_are_those_of_the_file(kind):
    assert check(image_file(300, 200, kind)) == CheckedImage(TYPES[kind], 300, 200)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_exif_rotation_is_applied_to_the_size(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert check(image_file(400, 300, kind, exif=exif)) == CheckedImage(TYPES[kind], 300, 400)


def test_damaged_exif_data_do_not_matter():
    exif = b"Exif\0\0MM\0*" + b"\xff" * 40
    assert check(image_file(400, 300, "JPEG", exif=exif)) == CheckedImage("image/jpeg", 400, 300)


@pytest.mark.parametrize(
    "body",
    [b"", b"<svg/>", b"<html>", b"RIFF" + bytes(60), image_file(200, 200, "BMP"), image_file(200, 200, "AVIF")],
    ids=["nothing", "svg", "page", "sound", "bmp", "avif"],
)
def test_a_file_of_another_type_is_refused(body):
    with pytest.raises(PictureUnsuitable, match="PNG, GIF, JPEG or WebP"):
        check(body)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (1, 1, "1 pixels wide"),
        (99, 200, "at least 100"),
        (1000, 150, "a banner or a line"),
        (110, 600, "a banner or a line"),
        (8001, 2000, "too large"),
        (6000, 6000, "too large"),
        (20_000, 20_000, "too large"),
        (2_000_000, 2_000_000, "too large"),
    ],
)
def test_a_picture_of_an_unsuitable_size_is_refused_before_it_is_decoded(width, height, reason):
    with pytest.raises(PictureUnsuitable, match=reason):
        check(png_that_claims(width, height))


@pytest.mark.parametrize("size", [(100, 100), (500, 100), (100, 500)])
def test_the_smallest_and_longest_pictures_are_taken(size):
    assert check(image_file(*size)) == CheckedImage("image/png", *size)


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("kind", TYPES)
def test_a_picture_that_was_cut_off_is_refused(kind, share):
    file = noise(kind)
    with pytest.raises(PictureUnsuitable, match="damaged"):
        check(file[: int(len(file) * share)])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_short_animation_is_taken_and_a_long_one_is_refused(kind):
    assert check(animation(120, 110, kind, frames=3)) == CheckedImage(TYPES[kind], 120, 110)
    with pytest.raises(PictureUnsuitable, match=f"{MAX_FRAMES + 1} frames"):
        check(animation(120, 110, kind, frames=MAX_FRAMES + 1))


def test_an_animation_of_many_pixels_is_refused():
    file = bytearray(animation(120, 110, "GIF", frames=40))
    struct.pack_into("<HH", file, 6, 2500, 2500)  # each frame changes a small part of a large screen
    with pytest.raises(PictureUnsuitable, match="40 frames of 2500 x 2500 pixels"):
        check(bytes(file))


@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_is_taken_or_refused(file, data):
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PictureUnsuitable):
        assert check(bytes(damaged[: data.draw(st.integers(0, len(file)))])).width >= 100


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBPVP8X", b""]), st.binary())
def test_random_bytes_are_refused_in_words(beginning, rest):
    with pytest.raises(PictureUnsuitable):
        check(beginning + rest)


def test_pictures_of_a_publisher_are_taken():
    folder = shared("feeds/18f") / "img"
    assert {file.name: check(file.read_bytes()) for file in folder.iterdir()} == {
        "TDP-checkin--emotion-chart.jpg": CheckedImage("image/jpeg", 1622, 1081),
        "dawson-home.png": CheckedImage("image/png", 2294, 1652),
        "example1-senior-executives-part4.png": CheckedImage("image/png", 1142, 642),
        "hyder.png": CheckedImage("image/png", 280, 353),
        "jonnalagadda.jpg": CheckedImage("image/jpeg", 221, 320),
        "portfolio-scope.png": CheckedImage("image/png", 1210, 626),
        "refreshed-screenshot-collage.jpg": CheckedImage("image/jpeg", 1200, 800),
    }
