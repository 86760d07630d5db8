"""A newsletter's brand colour, made legible.

Pages leave this to the browser (static/tokens.css, the same rule); mail programs cannot compute, so letters carry the
two values found here: one to read on white paper, one for the dark. Lightness, chroma and hue are those of Oklch
(CSS Color 4 section 9.3), in which a colour keeps its hue while it is made lighter or darker.
"""

import re
from math import atan2, cos, hypot, sin
from typing import NamedTuple

DARKEST_NEEDED = 0.47  # with white behind it, any hue is 4.5:1 or more (WCAG 2.2, 1.4.3)
LIGHTEST_NEEDED = 0.8  # the same on #141619
CALM = 0.11  # more chroma than this glares in the dark

Linear = tuple[float, float, float]


class Accents(NamedTuple):
    """The colour of links and buttons, as #rrggbb."""

    light: str
    dark: str


class Oklch(NamedTuple):
    """Lightness 0 to 1, chroma 0 to about 0.4, hue in radians."""

    lightness: float
    chroma: float
    hue: float


def accents(brand: str) -> Accents:
    """The two accents of a brand colour #rrggbb; whatever it is, each has a contrast of 4.5:1 or more on its paper."""
    lightness, chroma, hue = _oklch(_linear(brand))
    return Accents(
        light=_written(Oklch(min(lightness, DARKEST_NEEDED), chroma, hue)),
        dark=_written(Oklch(max(lightness, LIGHTEST_NEEDED), min(chroma, CALM), hue)),
    )


def stylesheet(brand: str) -> str:
    """What a page loads after tokens.css to take on a brand colour. Raises ValueError unless it is #rrggbb."""
    if not re.fullmatch("#[0-9a-f]{6}", brand):
        raise ValueError(f"{brand!r} is not a colour like #0f5c6e")
    return f":root{{--brand:{brand}}}\n"


def _linear(written: str) -> Linear:
    """The light that each channel of #rrggbb stands for (IEC 61966-2-1)."""
    red, green, blue = (int(written[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _light(red), _light(green), _light(blue)


def _light(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _channel(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _oklch(colour: Linear) -> Oklch:
    red, green, blue = colour
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Oklch(0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short, hypot(a, b), atan2(b, a))


def _from_oklch(colour: Oklch) -> Linear:
    a, b = colour.chroma * cos(colour.hue), colour.chroma * sin(colour.hue)
    long = (colour.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (colour.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (colour.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _written(colour: Oklch) -> str:
    """The colour as #rrggbb; what a screen cannot show loses chroma, never lightness, on which the contrast rests."""
    kept = colour
    if not _shown(colour):
        least, most = 0.0, colour.chroma
        for _ in range(20):
            middle = (least + most) / 2
            least, most = (middle, most) if _shown(colour._replace(chroma=middle)) else (least, middle)
        kept = colour._replace(chroma=least)
    channels = (_channel(min(max(light, 0.0), 1.0)) for light in _from_oklch(kept))
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _shown(colour: Oklch) -> bool:
    """Whether an sRGB screen has this colour, give or take what rounding to 255 steps hides."""
    return all(-0.0005 <= light <= 1.0005 for light in _from_oklch(colour))
