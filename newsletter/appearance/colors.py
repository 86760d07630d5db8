"""Make a newsletter's brand color legible in letters and on pages.

Mail programs cannot compute colors, and browsers clip what their screens cannot show each in its own way. So letters
and stylesheets contain the two values computed here: one for a white background, one for a dark one. Lightness, chroma
and hue are those of Oklch (CSS Color 4 section 9.3), in which a color keeps its hue when it gets lighter or darker.
"""

import re
from math import atan2, cos, hypot, sin
from typing import NamedTuple

MAX_LIGHTNESS_ON_WHITE = 0.47  # at most this, any hue has a contrast of 4.5:1 or more on white (WCAG 2.2, 1.4.3)
MIN_LIGHTNESS_ON_DARK = 0.8  # at least this, the same on #141619
MAX_CHROMA_ON_DARK = 0.11  # more glares on a dark background

Linear = tuple[float, float, float]


class Accents(NamedTuple):
    """The color of links and buttons, as #rrggbb."""

    light: str
    dark: str


class Oklch(NamedTuple):
    """Lightness 0 to 1, chroma 0 to about 0.4, hue in radians."""

    lightness: float
    chroma: float
    hue: float


def accents(brand: str) -> Accents:
    """Return the accents of a brand color #rrggbb; each has a contrast of 4.5:1 or more on its background."""
    lightness, chroma, hue = _oklch(_linear(brand))
    return Accents(
        light=_hex(Oklch(min(lightness, MAX_LIGHTNESS_ON_WHITE), chroma, hue)),
        dark=_hex(Oklch(max(lightness, MIN_LIGHTNESS_ON_DARK), min(chroma, MAX_CHROMA_ON_DARK), hue)),
    )


def stylesheet(brand: str) -> str:
    """Return the stylesheet that sets a page's brand color and accents. Raises ValueError unless `brand` is #rrggbb."""
    if not re.fullmatch("#[0-9a-f]{6}", brand):
        raise ValueError(f"{brand!r} is not a color like #0f5c6e")
    light, dark = accents(brand)
    return (
        f":root{{--brand:{brand};--accent:{light}}}\n@media (prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n"
    )


def _linear(color: str) -> Linear:
    """Convert #rrggbb to linear light (IEC 61966-2-1)."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _decode_gamma(red), _decode_gamma(green), _decode_gamma(blue)


def _decode_gamma(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encode_gamma(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _oklch(color: Linear) -> Oklch:
    red, green, blue = color
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Oklch(0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short, hypot(a, b), atan2(b, a))


def _from_oklch(color: Oklch) -> Linear:
    a, b = color.chroma * cos(color.hue), color.chroma * sin(color.hue)
    long = (color.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (color.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (color.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _hex(color: Oklch) -> str:
    """Return #rrggbb. A color outside sRGB loses chroma, never lightness, because the contrast depends on it."""
    if not _is_in_srgb(color):
        low, high = 0.0, color.chroma
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if _is_in_srgb(color._replace(chroma=middle)) else (low, middle)
        color = color._replace(chroma=low)
    channels = (_encode_gamma(min(max(light, 0.0), 1.0)) for light in _from_oklch(color))
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _is_in_srgb(color: Oklch) -> bool:
    """Whether sRGB contains this color, within the rounding to 255 steps."""
    return all(-0.0005 <= light <= 1.0005 for light in _from_oklch(color))
