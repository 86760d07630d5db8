"""Bring the pixels of any image to grey, RGB or RGBA in sRGB, which programs assume of a file without a profile."""

from io import BytesIO

from PIL import Image, ImageCms

TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}


def mixable(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose pixels can be mixed with their neighbors, as an index into a palette cannot."""
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):  # sixteen bits of grey, which Pillow would cut off at 255
        return image.convert("I").point(lambda value: value / 256).convert("L")
    return image


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image as grey, RGB or RGBA, painted in sRGB. A profile that does not fit the image is left out."""
    if image.mode == "L":  # grey looks alike in all usual profiles
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colors = image.convert("RGB") if alpha else image
    painted = _painted(colors, profile) if profile else None
    result = painted or colors.convert("RGB")
    if alpha:
        result.putalpha(alpha)
    return result


def _painted(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
