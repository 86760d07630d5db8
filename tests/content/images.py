"""Real image files for tests."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image


def image_file(width: int, height: int, kind: str = "PNG", *, mode: str = "RGB", **options) -> bytes:
    """Return a file of one color."""
    return saved(Image.new(mode, (width, height)), kind, **options)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """Return the image as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animation(width: int, height: int, kind: str, *, frames: int) -> bytes:
    """Return an animation whose frames all differ."""
    colors: Sequence[Image.Image] = [Image.new("L", (width, height), number * 37 % 256) for number in range(frames)]
    return saved(colors[0], kind, save_all=True, append_images=colors[1:])
