"""Isolation: a value whose script runs against the text does not disturb the words around it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from newsletter.languages.isolation import FIRST_STRONG_ISOLATE as FSI
from newsletter.languages.isolation import POP_ISOLATE as PDI
from newsletter.languages.isolation import isolated
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable

HEBREW = "שלום"
MIXED = f"{HEBREW} (news) {HEBREW}"


@pytest.mark.parametrize(
    ("value", "direction", "inserted"),
    [
        ("Ana", "ltr", "Ana"),
        (HEBREW, "rtl", HEBREW),
        (HEBREW, "ltr", f"{FSI}{HEBREW}{PDI}"),
        ("https://example.org/a", "rtl", f"{FSI}https://example.org/a{PDI}"),
        (MIXED, "ltr", f"{FSI}{MIXED}{PDI}"),
        (MIXED, "rtl", f"{FSI}{MIXED}{PDI}"),
        ("07:00", "rtl", "07:00"),
    ],
)
def test_a_value_is_isolated_if_its_script_runs_against_the_text(value, direction, inserted):
    assert isolated(value, direction) == inserted


@given(st.text("aא1 \u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e"), st.sampled_from(["ltr", "rtl"]))
@example("\u2069\u202e", "ltr")
def test_no_control_character_of_a_value_reaches_beyond_it(value, direction):
    """An unclosed override of a value would turn the rest of the sentence around."""
    inserted = isolated(value, direction)
    depth = 0
    for character in inserted:
        depth += (character in "\u2066\u2067\u2068") - (character == PDI)
        assert depth >= 0
        assert depth > 0 or character not in "\u202a\u202b\u202d\u202e"

    assert depth == 0
    assert isolated(inserted, direction) == inserted, "once is enough"


def test_values_of_sentences_are_isolated_and_stay_markup():
    sentence = translatable("From %(name)s.", name=HEBREW)
    link = Markup('<a href="/">{}</a>')
    values = {"link": link.format(HEBREW), "english": link.format("Ana")}

    assert language("en").text(sentence) == f"From {FSI}{HEBREW}{PDI}."
    assert str(sentence) == f"From {HEBREW}.", "logs and the command line show the value as it is"
    assert language("en").values(values) == values | {"link": f"{FSI}{values['link']}{PDI}"}
    assert language("ar").values(values) == values | {"english": f"{FSI}{values['english']}{PDI}"}
    assert isinstance(language("en").values(values)["link"], Markup)
