"""Links of publishers' own pages that fill the form: `?email=`."""

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.consent.signups.signups import Signup
from tests.whole_service import WholeService


def email_at(site: WholeService, query: str) -> str | None:
    page = LexborHTMLParser(site.browser.get(f"/n/morning?{query}").text)
    (field,) = page.css("input[name=email]")
    return field.attributes["value"]


def test_a_link_fills_the_address_and_the_page_is_then_kept_by_no_cache_and_no_search_engine(site):
    assert email_at(site, "email=ada%2Bnews@example.org") == "ada+news@example.org"
    assert email_at(site, "email=%E2%80%8Bada%EF%BC%A0example.org%20") == "ada@example.org"
    for path in ("/n/morning", "/"):
        plain, filled = site.browser.get(path), site.browser.get(path, params={"email": "ada@example.org"})
        assert "cache-control" not in plain.headers
        assert "x-robots-tag" not in plain.headers
        assert filled.headers["cache-control"] == "no-store"
        assert "noindex" in filled.headers["x-robots-tag"]
        assert "etag" not in filled.headers
        assert "content-encoding" not in filled.headers
        assert site.browser.get(path).text == plain.text


def test_what_cannot_be_an_address_is_not_shown_and_what_is_shown_is_escaped(site):
    assert email_at(site, "email=%22%3E%3Cscript%3Ealert(1)%3C/script%3E") == '"><script>alert(1)</script>'
    assert not LexborHTMLParser(site.browser.get('/n/morning?email="><script>').text).css("form script")
    assert email_at(site, f"email={'a' * 250}@example.org") == ""
    assert email_at(site, "email=a%0d%0ab@example.org") == ""
    assert email_at(site, "email=") == ""


@pytest.mark.parametrize("page", ["http://localhost/n/morning", "https://www.press.example/subscribe"])
def test_the_evidence_names_the_page_without_the_address_or_secret_in_its_query(site, page):
    referer = page.replace("://", "://user:secret@") + "?email=somebody.else@example.org&session=secret#top"
    site.browser.post("/subscribe", data={**site.form(), "email": "ada@example.org"}, headers={"referer": referer})
    with site.site.database.reading() as session:
        assert session.scalars(select(Signup)).one().evidence["page"] == page
