"""Canonical links: one text for the addresses of one page, and another for another page."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.articles.canonical_links import canonical, without_host

BUS = "https://press.example/2026/bus"
WORDS = st.text("abcxyz019-_éß", min_size=1, max_size=8)
PATHS = st.lists(WORDS, min_size=1, max_size=3).map("/".join)
PAIRS = st.lists(st.tuples(st.sampled_from(["id", "p", "page"]), WORDS), max_size=3)
SCHEMES = st.sampled_from(["http://", "https://"])
HOSTS = st.sampled_from(
    ["press.example", "www.press.example", "M.press.example", "amp.press.example", "press.example."]
)
TAILS = st.sampled_from(["", "/", "/index.html", "/amp", "/amp/", "//"])
PARAMETERS = "utm_source=a fbclid=1 gclid=2 mc_cid=3 ref=x source=rss at_medium=RSS WT.mc_id=4"
TRACKED = st.lists(st.sampled_from(PARAMETERS.split()), max_size=3)
FRAGMENTS = st.sampled_from(["", "#comments", "#xtor=RSS-1", "#respond", "#:~:text=bus"])


@given(SCHEMES, HOSTS, PATHS, TAILS, PAIRS, TRACKED, FRAGMENTS, st.randoms())
def test_all_addresses_of_a_page_have_one_canonical_link(scheme, host, path, tail, pairs, tracked, fragment, random):
    parameters = [f"{name}={value}" for name, value in pairs]
    plain = f"https://press.example/{path}" + ("?" + "&".join(parameters) if parameters else "")
    shuffled = [*parameters, *tracked]
    random.shuffle(shuffled)
    other = f"{scheme}{host}/{path}{tail}" + ("?" + "&".join(shuffled) if shuffled else "") + fragment
    assert canonical(other) == canonical(plain)


@given(st.text(max_size=80), st.sampled_from(["", "http://", "https://press.example/", "https://press.example:"]))
def test_any_text_has_a_canonical_link(text, start):
    assert canonical(f" {start}{text} ") == canonical(start + text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://press.example/?p=1", "https://press.example/?p=2"),
        ("https://press.example/story?id=1", "https://press.example/story?id=2"),
        ("https://press.example/story?source=town-hall", "https://press.example/story?source=library"),
        ("https://press.example/#!/bus", "https://press.example/#!/bridge"),
        ("https://press.example/changes#v1", "https://press.example/changes#v2"),
        ("https://press.example/story?sid=1", "https://press.example/story?sid=2"),
        ("https://press.example/Bus", "https://press.example/bus"),
        ("https://press.example:8080/bus", "https://press.example/bus"),
        ("https://town.example/bus", "https://press.example/bus"),
        ("https://m.example/bus", "https://www.example/bus"),
    ],
)
def test_other_pages_have_other_canonical_links(one, other):
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "other",
    [
        "http://press.example:80/2026/bus",
        "https://press.example/2026/bus.amp",
        "https://press.example/amp/2026/bus",
        "https://press.example/2026/bus;jsessionid=8A",
        "https://press.example/2026/bus?amp=1",
        "https://press.example/2026/%62us?",
        "https://press.example/2026/bus?sessionid=8A",
        "https://press.example/2026/bus?sid=0a1b2c3d4e5f6071",
        "https://press-example.cdn.ampproject.org/c/s/press.example/2026/bus",
        "https://www.google.com/amp/s/press.example/2026/bus",
        "https://www.google.com/url?rct=j&url=https%3A%2F%2Fpress.example%2F2026%2Fbus&usg=AO1",
    ],
)
def test_versions_of_a_page_have_one_canonical_link(other):
    assert canonical(other) == canonical(BUS)


def test_a_link_without_its_host_is_empty_for_a_front_page():
    assert without_host("https://www.press.example/") == without_host("http://press.example/index.html") == ""
    assert without_host("https://press.example/?p=1") == "?p=1"
    assert without_host(BUS) == "/2026/bus"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://press.example" + "/amp" * 5000, "press.example"),
        ("https://press.example/bus" + "/index.html" * 5000, "press.example/bus"),
        (f"https://{'ä' * 20_000}.example/bus", f"{'ä' * 20_000}.example/bus"),
    ],
    ids=["amp", "index", "host"],
)
def test_a_link_of_many_endings_or_a_long_host_costs_little(url, expected):
    before = process_time()
    assert canonical(url) == expected
    assert process_time() - before < 0.5
