"""Links leave as URIs, which every mail program recognizes to their end."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.iris import uri

characters = st.characters(exclude_categories=["Cs", "Cc"])


@pytest.mark.parametrize(
    ("iri", "expected"),
    [
        ("https://example.org/東京/朝?q=あ&b=1", "https://example.org/%E6%9D%B1%E4%BA%AC/%E6%9C%9D?q=%E3%81%82&b=1"),
        ("https://пример.испытание/путь", "https://xn--e1afmkfd.xn--80akhbyknj4f/%D0%BF%D1%83%D1%82%D1%8C"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://bücher.example:8080/ä#ö", "https://xn--bcher-kva.example:8080/%C3%A4#%C3%B6"),
        ("https://例え。テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://💩.example/", "https://xn--ls8h.example/"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://example.org/%C3%A4/ä", "https://example.org/%C3%A4/%C3%A4"),
        ("https://example.org/a b|c\\d^e`f{g}", "https://example.org/a%20b%7Cc%5Cd%5Ee%60f%7Bg%7D"),
        ('https://example.org/"<ä>', "https://example.org/%22%3C%C3%A4%3E"),
        ("https://[2001:db8::1]:80/ä", "https://[2001:db8::1]:80/%C3%A4"),
        ("https://example.org/الصفحة", "https://example.org/%D8%A7%D9%84%D8%B5%D9%81%D8%AD%D8%A9"),
        ("https://example.org/\u202eab\u200b", "https://example.org/%E2%80%AEab%E2%80%8B"),
        ("https://℀.example/x", "https://%E2%84%80.example/x"),
    ],
)
def test_an_iri_becomes_a_uri(iri, expected):
    assert uri(iri) == expected


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/",
        "http://example.org:8080/a%20b?x=1&y=%C3%A4;z#f",
        "https://xn--bcher-kva.example/~ana/(x),y!*'",
        "https://example.org/?a[]=1&b=100%",
        "https://Example.ORG/Mixed",
        "https://[2001:db8::1]/",
        "mailto:ana@example.org",
    ],
)
def test_a_uri_stays_as_it_is(address):
    assert uri(address) == address


@given(st.text(characters), st.text(characters), st.text(characters))
def test_a_uri_is_ascii_and_stays_and_decodes_to_the_same_path(host, path, query):
    iri = f"https://{host}/{path}?{query}"
    made = uri(iri)
    assert made.isascii()
    assert not set(made) & set(' "<>\\^`{|}\n')
    assert uri(made) == made


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="%?#")))
def test_the_path_is_the_same(path):
    assert unquote(urlsplit(uri(f"https://bücher.example/{path}")).path) == f"/{path}"


def test_a_very_long_host_takes_no_time():
    assert uri("https://" + "ä" * 100_000).isascii()
