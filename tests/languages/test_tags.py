"""Tags: which language a visitor gets, and in which direction it runs."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.languages import accept_language, tags
from newsletter.languages.accept_language import MAX_CHARACTERS

subtags = st.text("abdeXZ19", min_size=1, max_size=8)
some_tags = st.lists(subtags, min_size=1, max_size=4).map("-".join)


@pytest.mark.parametrize(
    ("wanted", "available", "found"),
    [
        (["de-AT"], ["en", "de"], "de"),
        (["zh-Hant-TW"], ["zh", "zh-Hant"], "zh-Hant"),
        (["zh-Hant-x-private1"], ["zh-Hant-x", "zh-Hant"], "zh-Hant"),
        (["DE-at"], ["de", "de-AT"], "de-AT"),
        (["pt"], ["en", "pt-BR"], "pt-BR"),
        (["pt-PT"], ["en", "pt-BR"], "pt-BR"),
        (["el", "de"], ["en", "de"], "de"),
        (["el"], ["en", "de"], None),
        (["den"], ["de"], None),
        ([""], ["de"], None),
        (["de"], [], None),
    ],
)
def test_a_wanted_language_finds_the_closest_available_one(wanted, available, found):
    assert tags.lookup(wanted, available) == found


def test_a_tag_is_written_in_the_customary_case():
    written = ["DE", "pt-br", "ZH-HANT-tw", "sl-ROZAJ", "de-1996", "es-419"]
    assert [tags.canonical(tag) for tag in written] == ["de", "pt-BR", "zh-Hant-TW", "sl-rozaj", "de-1996", "es-419"]


@given(st.lists(some_tags, max_size=4), st.lists(some_tags, max_size=4))
def test_a_lookup_finds_an_available_tag_of_the_wanted_language(wanted, available):
    found = tags.lookup(wanted, available)
    languages = {tags.primary(tag) for tag in available}

    assert found is None or found in available
    assert (found is None) == languages.isdisjoint(map(tags.primary, wanted))
    if found is not None:
        assert tags.primary(found) == next(each for each in map(tags.primary, wanted) if each in languages)
    assert all(tags.lookup([tag], available).lower() == tag.lower() for tag in available)


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("ar", ["ar"]),
        ("fr, ar;q=0.8, de;q=0.9", ["fr", "de", "ar"]),
        ("de-CH, de;q=0.9, en;q=0.5", ["de-CH", "de", "en"]),
        ("AR-eg ; Q=0.7 , el", ["el", "AR-eg"]),
        ("ar;q=0.5, de;q=0.5", ["ar", "de"]),
        ("el, *;q=0.1, de;q=0", ["el"]),
        ("*", []),
        ("de;q=1.5, ar;q=abc, de;level=1, en;q=0.1234", []),
        ("; , ,=", []),
        ("", []),
        ("\x00\xff'\"><script>, de", ["de"]),
    ],
)
def test_the_header_accept_language_is_read_most_wanted_first(header, languages):
    assert accept_language.wanted(header) == languages


@given(st.text() | st.lists(st.text("de-*;q=0.1, ", max_size=12)).map(",".join))
@example("de;q=" + "0" * 8192)
@example("a-" * 4096)
def test_whatever_the_header_holds_it_asks_for_few_well_formed_tags(header):
    asked = accept_language.wanted(header)
    assert len(asked) <= MAX_CHARACTERS / 2
    assert all(re.fullmatch("[A-Za-z0-9-]+", tag) for tag in asked)


def test_the_beginning_of_a_header_of_8_kb_is_read_and_the_rest_is_not():
    many = "el, " * 2048
    assert accept_language.wanted(f"de, {many}")[0] == "de"
    assert "de" not in accept_language.wanted(f"{many}de")
    assert accept_language.wanted(f"{'e' * (MAX_CHARACTERS - 3)},de-AT") == [], "a tag that is cut off"


@pytest.mark.parametrize(
    ("tag", "direction"),
    [("en", "ltr"), ("AR-EG", "rtl"), ("he", "rtl"), ("az-Arab-IR", "rtl"), ("ur-Latn", "ltr"), ("ckb", "rtl")],
)
def test_a_language_runs_in_the_direction_of_its_script(tag, direction):
    assert tags.direction(tag) == direction
