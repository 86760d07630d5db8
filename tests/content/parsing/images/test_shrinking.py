"""Pictures are as small as they are shown, look the same, and tell nothing beside what they show."""

from io import BytesIO

import pytest
from PIL import Image, ImageCms

from newsletter.content.parsing.images.image_check import LEAD, LOGO, PictureUnsuitable
from newsletter.content.parsing.images.shrinking import LIGHT, PictureFile, lead_and_thumbnail, logo
from tests.content.images import animation, image_file, saved
from tests.shared_data import shared

RED, BLUE = (220, 20, 30), (20, 30, 220)


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return an image whose left half is red and whose right half is blue, or paler and darker."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height))
    return image.convert(mode)


def shrunk(body: bytes) -> tuple[PictureFile, PictureFile | None]:
    """Return the pictures that are made of a file, of which we check that they are what they are said to be."""
    lead, thumbnail = lead_and_thumbnail(body, suitable=LEAD)
    for made in filter(None, (lead, thumbnail)):
        with Image.open(BytesIO(made.body)) as image:
            assert (image.get_format_mimetype(), *image.size) == (made.type, made.width, made.height)
            assert not image.getexif()
    return lead, thumbnail


def pixel(file: PictureFile, across: float, down: float = 0.5) -> tuple[int, ...]:
    with Image.open(BytesIO(file.body)) as image:
        place = (int(file.width * across), int(file.height * down))
        return image.convert("RGBA" if image.has_transparency_data else "RGB").getpixel(place)


def is_near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("before", "lead", "thumbnail"),
    [((3000, 2000), (1104, 736), (300, 200)), ((1104, 300), (1104, 300), (300, 82)), ((300, 400), (300, 400), None)],
)
def test_a_picture_is_twice_as_wide_as_it_is_shown_and_never_enlarged(kind, before, lead, thumbnail):
    large, small = shrunk(saved(halves(*before), kind))
    assert ((large.width, large.height), small and (small.width, small.height)) == (lead, thumbnail)
    for made in filter(None, (large, small)):
        assert is_near(pixel(made, 0.25), RED)
        assert is_near(pixel(made, 0.75), BLUE)


def test_a_file_that_is_small_and_bare_stays_as_it_is():
    for kind in ("PNG", "GIF", "JPEG", "WEBP"):
        body = image_file(600, 400, kind)
        assert shrunk(body)[0].body == body


def test_a_camera_s_picture_is_turned_upright_and_does_not_tell_where_it_was_taken():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned, so that the left of the file is the top of the picture
    exif.get_ifd(0x8825)[1] = "N"
    for width, size in ((3000, (828, 1656)), (800, (400, 800))):
        large, small = shrunk(saved(halves(width, width // 2), "JPEG", exif=exif))
        assert (large.width, large.height) == size
        for made in (large, small):
            assert is_near(pixel(made, 0.5, 0.25), RED)
            assert is_near(pixel(made, 0.5, 0.75), BLUE)


def test_colors_look_the_same_without_their_profile():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    for profile in (srgb.tobytes(), swapped.tobytes(), b"no profile"):
        large, _ = shrunk(saved(halves(1400, 700), "JPEG", icc_profile=profile))
        assert is_near(pixel(large, 0.25), RED)
    printed, _ = shrunk(saved(halves(800, 400, "CMYK"), "JPEG"))
    with Image.open(BytesIO(printed.body)) as image:
        assert image.mode == "RGB", "mail programs show the colors of print in many ways"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_stays_transparent(mode):
    image = Image.new("LA" if mode == "LA" else "RGBA", (2000, 1000), (90, 255) if mode == "LA" else (*RED, 255))
    image.paste((0, 0) if mode == "LA" else (0, 0, 0, 0), (0, 0, 1000, 1000))
    large, small = shrunk(saved(image.quantize() if mode == "P" else image, "PNG"))
    for made in (large, small):
        assert made.type == "image/png"
        assert pixel(made, 0.25)[3] == 0
        assert pixel(made, 0.75)[3] > 250


def test_grey_of_sixteen_bits_and_black_and_white_are_shown():
    deep, _ = shrunk(saved(Image.new("I;16", (1500, 800), 40_000), "PNG"))
    assert is_near(pixel(deep, 0.5), (156, 156, 156))
    flat, _ = shrunk(saved(halves(1500, 800, "1"), "PNG"))
    assert flat.width == 1104


def test_a_small_animation_stays_and_of_a_large_one_its_first_frame():
    short = animation(600, 400, "GIF", frames=3)
    large, small = shrunk(short)
    assert (large.body, small.width) == (short, 300)
    wide, _ = shrunk(animation(1600, 400, "GIF", frames=3))
    with Image.open(BytesIO(wide.body)) as image:
        assert (image.width, getattr(image, "n_frames", 1)) == (1104, 1)


def test_a_logo_fits_beside_a_title_and_may_be_wide_and_low():
    large = logo(image_file(2000, 250, "PNG"), suitable=LOGO)
    assert (large.width, large.height) == (400, 50)
    assert logo(image_file(120, 20), suitable=LOGO).width == 120
    with pytest.raises(PictureUnsuitable, match="a logo has at least 16"):
        logo(image_file(8, 8), suitable=LOGO)


def test_the_pictures_of_a_publisher_become_light():
    folder = shared("feeds/18f") / "img"
    for file in folder.iterdir():
        body = file.read_bytes()
        large, small = shrunk(body)
        assert large.width <= 1104
        assert len(large.body) <= max(LIGHT, len(body) // 2)
        assert small is None or (small.width <= 300 and len(small.body) < 120_000)
