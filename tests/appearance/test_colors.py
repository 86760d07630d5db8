import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.appearance import colors, static_files

LIGHT_PAPER, DARK_PAPER = "#ffffff", "#141619"


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted(luminance(color) for color in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    light = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), light, strict=True))


brands = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(brands)
def test_every_accent_is_legible_on_its_background(brand):
    accents = colors.accents(brand)
    assert contrast(accents.light, LIGHT_PAPER) >= 4.5
    assert contrast(accents.dark, DARK_PAPER) >= 4.5


@given(brands)
def test_labels_are_legible_on_buttons_in_the_accent(brand):
    accents = colors.accents(brand)
    assert contrast(accents.light, "#ffffff") >= 4.5
    assert contrast(accents.dark, "#101316") >= 4.5


@given(brands)
def test_the_accent_of_an_accent_is_the_same_within_rounding(brand):
    once = colors.accents(brand).light
    again = colors.accents(once).light
    assert all(abs(int(once[at : at + 2], 16) - int(again[at : at + 2], 16)) <= 2 for at in (1, 3, 5))


def test_a_brand_that_is_dark_enough_is_not_changed():
    assert colors.accents("#0f5c6e").light == "#0f5c6e"


def test_the_hue_is_kept():
    accents = colors.accents("#d0021b")
    red, green, blue = (int(accents.dark[at : at + 2], 16) for at in (1, 3, 5))
    assert red > green
    assert red > blue


def test_gray_stays_gray():
    assert colors.accents("#ffffff").dark == "#ffffff"
    light = colors.accents("#ffffff").light
    assert light[1:3] == light[3:5] == light[5:7]


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_the_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(brands)
def test_pages_have_the_accents_of_letters(brand):
    light, dark = colors.accents(brand)
    assert colors.stylesheet(brand) == (
        f":root{{--brand:{brand};--accent:{light}}}\n@media (prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n"
    )


def test_pages_without_a_newsletter_have_the_accents_of_the_default_brand():
    tokens = static_files.find("tokens.css").body.decode()
    plain = re.findall(r"--(?:brand|accent): (#[0-9a-f]{6});", tokens)
    assert plain == [static_files.DEFAULT_BRAND, *colors.accents(static_files.DEFAULT_BRAND)]
    assert "oklch" not in tokens, "browsers clip colors that they cannot show, each in its own way"


@pytest.mark.parametrize("written", ["", "0f5c6e", "#0F5C6E", "#fff", "#0f5c6e}body{display:none", "#0f5c6e\n", "red"])
def test_a_stylesheet_accepts_only_a_color(written):
    with pytest.raises(ValueError, match="not a color"):
        colors.stylesheet(written)
