"""Tags: which language a visitor gets, and in which direction it runs."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.languages import tags
from newsletter.languages.negotiation import MAX_CHARACTERS, negotiate

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
    ("header", "chosen"),
    [
        ("ar", "ar"),
        ("fr, ar;q=0.8, de;q=0.9", "de"),
        ("de-CH, de;q=0.9, en;q=0.5", "de"),
        ("AR-eg ; Q=0.7 , el", "ar"),
        ("ar;q=0.5, de;q=0.5", "ar"),
        ("el, *;q=0.1, de;q=0", "en"),
        ("en;q=0, *", "de"),
        ("*", "en"),
        ("*;q=0", "en"),
        ("de;q=0", "en"),
        ("de;q=1.5, ar;q=abc, de;level=1", "en"),
        ("; , ,=", "en"),
        ("", "en"),
        (None, "en"),
        ("\x00\xff'\"><script>", "en"),
    ],
)
def test_the_header_accept_language_chooses_among_the_offered_languages(header, chosen):
    assert negotiate(header, ["en", "de", "ar"]) == chosen


@given(st.text() | st.lists(st.text("de-*;q=0.1, ", max_size=12)).map(",".join), st.lists(some_tags, min_size=1))
@example("de;q=" + "0" * 8192, ["en", "de"])
@example("a-" * 4096, ["en", "de"])
def test_whatever_a_header_holds_one_of_the_offered_languages_is_chosen(header, offered):
    assert negotiate(header, offered) in offered


def test_the_beginning_of_a_header_of_8_kb_is_read_and_the_rest_is_not():
    many = "el, " * 2048
    assert negotiate(f"de, {many}", ["en", "de"]) == "de"
    assert negotiate(f"{many}de", ["en", "de"]) == "en"
    assert negotiate(f"{'e' * (MAX_CHARACTERS - 3)},de-AT", ["en", "de"]) == "en", "a tag that is cut off"


@pytest.mark.parametrize(
    ("tag", "direction"),
    [("en", "ltr"), ("AR-EG", "rtl"), ("he", "rtl"), ("az-Arab-IR", "rtl"), ("ur-Latn", "ltr"), ("ckb", "rtl")],
)
def test_a_language_runs_in_the_direction_of_its_script(tag, direction):
    assert tags.direction(tag) == direction
