"""Make pictures as small as they are shown, so that a letter loads a fraction of what the publisher's camera took.

A picture is never enlarged. It is turned upright and painted in sRGB, and its metadata, such as the place where it was
taken, stay behind. A file that is small already, and has nothing of the kind, stays as it is.
"""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from newsletter.content.parsing.images import srgb
from newsletter.content.parsing.images.image_check import SIDEWAYS, CheckedImage, Suitable, opened, orientation

QUALITY = 82  # of JPEG: beyond it files grow fast and look the same
LIGHT = 300_000  # octets: a heavier file is written anew, and of a heavier animation only the first frame
METADATA = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "photoshop"}
# Twice the size at which letters show them, for screens with dense pixels.
LEAD_BOX = (1104, 1656)
THUMBNAIL_BOX = (300, 450)
LOGO_BOX = (400, 240)
# How to turn an image that EXIF calls 2 to 8.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """An image file with its media type and its size in pixels."""

    body: bytes
    type: str
    width: int
    height: int


def lead_and_thumbnail(body: bytes, *, suitable: Suitable) -> tuple[PictureFile, PictureFile | None]:
    """Return a picture for the full width of a letter, and a small one unless the first is small itself.

    Raises PictureUnsuitable as `image_check.opened` does.
    """
    with opened(body, suitable=suitable) as (image, checked):
        lead = _shrunk(body, image, checked, LEAD_BOX)
        if _fitting(lead, THUMBNAIL_BOX) == (lead.width, lead.height):
            return lead, None
        return lead, _made(image, checked, _fitting(checked, THUMBNAIL_BOX))


def logo(body: bytes, *, suitable: Suitable) -> PictureFile:
    """Return a logo as letters show it. Raises PictureUnsuitable as `image_check.opened` does."""
    with opened(body, suitable=suitable) as (image, checked):
        return _shrunk(body, image, checked, LOGO_BOX)


def _shrunk(body: bytes, image: Image.Image, checked: CheckedImage, box: tuple[int, int]) -> PictureFile:
    """Return the picture within the box: the file itself if it is fit to be shown."""
    size = _fitting(checked, box)
    if size != (checked.width, checked.height) or _tells_more_than_it_shows(image):
        return _made(image, checked, size)
    file = PictureFile(body=body, **checked._asdict())
    return file if len(body) <= LIGHT else min(file, _made(image, checked, size), key=_weight)


def _weight(file: PictureFile) -> int:
    return len(file.body)


def _tells_more_than_it_shows(image: Image.Image) -> bool:
    """Return whether the file has metadata or a second picture, or colors that programs do not show alike."""
    return image.format == "MPO" or image.mode == "CMYK" or bool(METADATA & image.info.keys())


def _fitting(file: CheckedImage | PictureFile, box: tuple[int, int]) -> tuple[int, int]:
    """Return the size, made smaller in proportion until it fits into the box."""
    scale = min(1.0, box[0] / file.width, box[1] / file.height)
    return max(1, round(file.width * scale)), max(1, round(file.height * scale))


def _made(image: Image.Image, checked: CheckedImage, size: tuple[int, int]) -> PictureFile:
    """Return the picture in this size, upright and in sRGB, as the smaller of the suitable files."""
    turn = TURNS.get(orientation(image))
    lying = size[::-1] if orientation(image) in SIDEWAYS else size
    small = srgb.mixable(image).resize(lying, Image.Resampling.LANCZOS, reducing_gap=3)
    upright = small.transpose(turn) if turn is not None else small
    final = srgb.in_srgb(upright, image.info.get("icc_profile"))
    files = _encoded(final, has_palette=image.mode == "P", is_photo=checked.type == "image/jpeg")
    return min(files, key=_weight)


def _encoded(image: Image.Image, *, has_palette: bool, is_photo: bool) -> list[PictureFile]:
    """Return a JPEG of what is opaque, and a PNG of what is transparent or no photo."""
    is_opaque = image.mode != "RGBA" or image.getchannel("A").getextrema()[0] == 255
    files = []
    if is_opaque:
        image = image if image.mode == "L" else image.convert("RGB")
        files.append(_file(image, "JPEG", quality=QUALITY, optimize=True, progressive=True))
    if not (is_opaque and is_photo):
        is_few = has_palette and image.mode != "L"
        files.append(_file(image.quantize(256) if is_few else image, "PNG", optimize=True))
    return files


def _file(image: Image.Image, kind: str, **options: int) -> PictureFile:
    file = BytesIO()
    image.info = {}  # or a profile or a comment would go along
    image.save(file, kind, **options)
    return PictureFile(body=file.getvalue(), type=f"image/{kind.lower()}", width=image.width, height=image.height)
