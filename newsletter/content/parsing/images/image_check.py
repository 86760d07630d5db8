"""Check that a file is a picture that every mail program shows and no reader's device suffers from.

The file is decoded once, because a damaged one shows grey areas or nothing. Whoever makes it smaller does so with the
decoded image.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import NamedTuple

# Registers the decoder. Otherwise Pillow would look for one by importing all its fifty plugins.
from PIL import Image, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

from newsletter.content.parsing.images.picture_candidates import MAX_PROPORTION, MIN_WIDTH
from newsletter.errors import NewsletterError

MAX_SIDE = 8000  # pixels
MAX_PIXELS = 25_000_000  # a phone needs 4 bytes of memory for each
MAX_FRAMES = 300
MAX_ANIMATED_PIXELS = 200_000_000  # of all frames of an animation
# AVIF, HEIC and SVG are left out: several mail programs do not show them.
TYPES = {"PNG": "image/png", "GIF": "image/gif", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
FORMATS = ["PNG", "GIF", "JPEG", "WEBP"]
ORIENTATION = 0x0112  # EXIF tag
SIDEWAYS = {5, 6, 7, 8}  # its values for an image that lies on its side

# The filters for warnings belong to the process, so one thread changes them at a time.
_warning_filters = Lock()


class PictureUnsuitable(NewsletterError):
    """The file is no picture, or no picture that can lead an article."""


@dataclass(frozen=True, kw_only=True)
class Suitable:
    """What a picture must be like to serve as something, which a refusal names."""

    name: str
    min_width: int  # pixels
    max_proportion: int  # of the longer to the shorter side; a longer image is a banner or a line


LEAD = Suitable(name="lead picture", min_width=MIN_WIDTH, max_proportion=MAX_PROPORTION)
LOGO = Suitable(name="logo", min_width=16, max_proportion=12)


class CheckedImage(NamedTuple):
    """An image's media type and its size in pixels, with the EXIF rotation applied."""

    type: str
    width: int
    height: int


def check(body: bytes, *, suitable: Suitable = LEAD) -> CheckedImage:
    """Return the type and size of a PNG, GIF, JPEG or WebP file, as its bytes show them. Raises PictureUnsuitable."""
    with opened(body, suitable=suitable) as (_, checked):
        return checked


@contextmanager
def opened(body: bytes, *, suitable: Suitable = LEAD) -> Iterator[tuple[Image.Image, CheckedImage]]:
    """Open a PNG, GIF, JPEG or WebP file at its first frame, decoded, with its type and size.

    Raises PictureUnsuitable, in words for an editor, if the file is of another type, is damaged, is too small, too
    large or too narrow, or is too long an animation. Decoding takes up to 4 bytes of memory for each of 25 million
    pixels.
    """
    try:
        with _without_warnings(), Image.open(BytesIO(body), formats=FORMATS) as image:
            checked = _measure(image)
            _check_size(checked, suitable)
            _check_frames(image, checked)
            image.seek(0)
            image.load()
            yield image, checked
    except (PictureUnsuitable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise PictureUnsuitable("The file is not a picture that mail programs show: PNG, GIF, JPEG or WebP.") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # Pillow's decoders raise many kinds of errors for damaged files
        raise PictureUnsuitable("The picture is damaged or incomplete.") from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave out Pillow's warnings: of damaged data beside the picture, and of large pictures, which we refuse."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _measure(image: Image.Image) -> CheckedImage:
    width, height = image.size
    if orientation(image) in SIDEWAYS:
        width, height = height, width
    return CheckedImage(TYPES[image.format or ""], width, height)


def orientation(image: Image.Image) -> int:
    """Return how the image is to be turned, as EXIF numbers it; 1 if it is upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - browsers show a picture whose EXIF data is damaged
        return 1


def _check_size(image: CheckedImage, suitable: Suitable) -> None:
    width, height = image.width, image.height
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _too_large()
    if width < suitable.min_width:
        least = f"a {suitable.name} has at least {suitable.min_width}"
        raise PictureUnsuitable(f"The picture is {width} pixels wide; {least}.")
    if max(width, height) > suitable.max_proportion * min(width, height):
        raise PictureUnsuitable(
            f"The picture has {width} x {height} pixels: a banner or a line, not a {suitable.name}."
        )


def _check_frames(image: Image.Image, checked: CheckedImage) -> None:
    """Count the frames of an animation without decoding them."""
    frames = getattr(image, "n_frames", 1)
    if checked.type != "image/jpeg" and (
        frames > MAX_FRAMES or frames * checked.width * checked.height > MAX_ANIMATED_PIXELS
    ):
        size = f"{checked.width} x {checked.height}"
        raise PictureUnsuitable(f"The animation is too long: {frames} frames of {size} pixels.")


def _too_large() -> PictureUnsuitable:
    return PictureUnsuitable(
        f"The picture is too large: more than {MAX_PIXELS / 1e6:g} million pixels or {MAX_SIDE} on a side."
    )
