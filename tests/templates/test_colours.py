import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import colours

LIGHT_PAPER, DARK_PAPER = "#ffffff", "#141619"


def contrast(one: str, other: str) -> float:
    """How well two colours can be told apart, from 1 to 21 (WCAG 2.2, contrast ratio and relative luminance)."""
    darker, lighter = sorted(luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    light = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), light, strict=True))


brands = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(brands)
def test_any_brand_becomes_legible_on_white_and_in_the_dark(brand):
    accents = colours.accents(brand)
    assert contrast(accents.light, LIGHT_PAPER) >= 4.5
    assert contrast(accents.dark, DARK_PAPER) >= 4.5


@given(brands)
def test_a_button_in_the_accent_carries_its_label(brand):
    accents = colours.accents(brand)
    assert contrast(accents.light, "#ffffff") >= 4.5
    assert contrast(accents.dark, "#101316") >= 4.5


@given(brands)
def test_an_accent_of_an_accent_is_itself_give_or_take_a_rounding(brand):
    once = colours.accents(brand).light
    again = colours.accents(once).light
    assert all(abs(int(once[at : at + 2], 16) - int(again[at : at + 2], 16)) <= 2 for at in (1, 3, 5))


def test_a_brand_dark_enough_stays_as_it_is_on_white():
    assert colours.accents("#0f5c6e").light == "#0f5c6e"


def test_a_hue_is_kept():
    accents = colours.accents("#d0021b")
    red, green, blue = (int(accents.dark[at : at + 2], 16) for at in (1, 3, 5))
    assert red > green
    assert red > blue


def test_grey_stays_grey():
    assert colours.accents("#ffffff").dark == "#ffffff"
    light = colours.accents("#ffffff").light
    assert light[1:3] == light[3:5] == light[5:7]


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


def test_a_brand_has_a_stylesheet_of_one_rule():
    assert colours.stylesheet("#0f5c6e") == ":root{--brand:#0f5c6e}\n"


@pytest.mark.parametrize("written", ["", "0f5c6e", "#0F5C6E", "#fff", "#0f5c6e}body{display:none", "#0f5c6e\n", "red"])
def test_nothing_but_a_colour_gets_into_a_stylesheet(written):
    with pytest.raises(ValueError, match="not a colour"):
        colours.stylesheet(written)
