"""Origins: one spelling of a site, and nothing that programs could read in two ways."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter import origins
from newsletter.errors import Malformed

LABELS = st.text("abcxyz019-", min_size=1, max_size=8).filter(lambda label: label.strip("-") == label)
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(lambda labels: ".".join([*labels, "example"]))


@pytest.mark.parametrize(
    ("entered", "origin"),
    [
        ("https://www.example.org", "https://www.example.org"),
        (" https://www.example.org/blog/2026?page=2#top ", "https://www.example.org"),
        ("www.example.org", "https://www.example.org"),
        ("Example.org:8443/page?at=10:30", "https://example.org:8443"),
        ("HTTPS://WWW.Example.ORG:443", "https://www.example.org"),
        ("https://www.example.org:8443/", "https://www.example.org:8443"),
        ("https://www.example.org:", "https://www.example.org"),
        ("https://www.example.org./", "https://www.example.org"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example/ä", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://[2001:DB8:0:0::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:4000/", "http://localhost:4000"),
        ("http://blog.localhost", "http://blog.localhost"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:4000", "http://[::1]:4000"),
    ],
)
def test_a_site_has_one_spelling(entered, origin):
    assert origins.origin_of(entered) == origin


@pytest.mark.parametrize(
    "entered",
    [
        "",
        "null",
        "*",
        "example",
        "ana@www.example.org",
        "mailto:ana@www.example.org",
        "//www.example.org",
        "https://",
        "https:///path",
        "https://.",
        "https://-a.example",
        "https://a..example",
        "https://*.example.org",
        "https://ana@www.example.org",
        "https://www.example.org@other.example",
        "https://www.example.org\\@other.example",
        "https://other.example\\.www.example.org",
        "https://www.example.org:0x1bb",
        "https://www.example.org:0",
        "https://www.example.org:65536",
        "https://www.example.org https://other.example",
        "https://www.example.org, https://other.example",
        "https://www.exa\nmple.org",
        "https://www.example.org\x00",
        "https://[::1",
        "http://www.example.org",
        "http://127.0.0.1.example.org",
        "file:///home/ana/page.html",
        "chrome-extension://abcdefghijklmnop",
        "javascript://www.example.org/%0aalert(1)",
        f"https://{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.example.org",
    ],
)
def test_what_is_no_site_or_not_encrypted_is_refused(entered):
    with pytest.raises(Malformed) as refused:
        origins.origin_of(entered)
    assert refused.value.field == "origin"


@given(HOSTS, st.none() | st.integers(1, 65535), st.text(max_size=20))
def test_an_origin_is_the_same_however_its_host_is_written_and_whatever_page_is_named(host, port, page):
    site = origins.origin_of(f"https://{host}{'' if port is None else f':{port}'}")
    assert origins.origin_of(site) == site
    assert origins.origin_of(site.upper()) == site
    tail = "/" + "".join(character for character in page if not origins.DOUBTFUL.search(character))
    assert origins.origin_of(site + tail) == site
    assert origins.parse(site) == origins.parse(origins.page_url(site + tail))


@given(
    st.text(max_size=40) | st.text("htps:/@.[]\\#?%0123456789aé \n", max_size=30).map(lambda text: f"https://{text}")
)
@example("https://a.example/\\@b.example")
@example("https://Ⅷ.example")
@example("https://xn--a.example")
def test_any_text_is_refused_or_has_a_plain_origin(text):
    try:
        site = origins.origin_of(text)
    except Malformed:
        return
    assert site.isascii()
    assert not set(site) & set("@\\?# \n")
    assert origins.origin_of(site) == site
