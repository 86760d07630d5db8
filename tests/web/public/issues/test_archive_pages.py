"""The archive's pages: language, dates, order, and what search engines, previews and feed readers find."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import feedparser
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import insert

from newsletter import newsletters, templating
from newsletter.consent.wordings import wording_publication
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.web.public.issues.shown_issues import PER_PAGE
from tests.builders import an_issue
from tests.whole_service import WholeService, whole_service

LATE = datetime(2026, 10, 22, 22, 30, tzinfo=UTC)  # the next day in Berlin
SHA = "a" * 64
BELL = "\x07"


@pytest.fixture
def site(sqlite_url, tmp_path) -> Iterator[WholeService]:
    """A service with a German newsletter, also offered in Arabic, that sent three issues."""
    with whole_service(sqlite_url, tmp_path, base_url="https://letters.example") as service:
        service.newsletter(language="de", zone="Europe/Berlin", description="Was war. Was wird.")
        with service.site.database.writing() as session:
            newsletter = newsletters.named(session, "morning")
            newsletter.other_languages = ["ar"]
            session.add(Picture(sha256=SHA, type="image/png", width=80, height=60, body=b"png", found_at=LATE))
            for number in (1, 2, 3):
                titles = (f"Die Brücke <{number}>", f"Der Bus{BELL}")
                issue = an_issue(session, newsletter, status=IssueStatus.SENT, titles=titles, run_at=LATE)
                issue.number, issue.sent_at = number, LATE + timedelta(minutes=number)
            issue.heading, issue.introduction = "Über den Fluss", "Erstens.\n\nZweitens."
            for article in session.query(Article).where(Article.title == "Die Brücke <3>"):
                article.picture_sha256, article.picture_alt = SHA, "Eine Brücke"
        yield service


def drawn(site: WholeService, path: str, **headers: str) -> LexborHTMLParser:
    answer = site.browser.get(path, headers=headers)
    assert answer.status_code == 200
    return LexborHTMLParser(answer.text)


def head(page: LexborHTMLParser, selector: str, attribute: str = "content") -> list[str | None]:
    return [node.attributes[attribute] for node in page.css(f"head {selector}")]


def test_an_issue_is_shown_in_the_visitors_language_and_dated_in_the_newsletters_zone(site):
    page = drawn(site, "/archive/morning/2", **{"Accept-Language": "fr, en"})
    assert page.css_first("h1").text() == "The Morning Letter, Freitag, 23. Oktober 2026", (
        "not the first headline again"
    )
    assert page.css_first("ul.items").attributes["lang"] == "de"
    assert "Oktober" not in drawn(site, "/archive/morning/2", **{"Accept-Language": "ar-EG"}).css_first("h1").text()
    arabic = site.browser.get("/archive/morning/2?language=ar", headers={"Accept-Language": "de"})
    assert (arabic.headers["content-language"], arabic.headers["vary"]) == ("ar", "Accept-Language, Accept-Encoding")
    assert '<ul class="items" lang="de" dir="ltr"' in arabic.text
    assert 'href="/archive/morning/3?language=ar" rel="next"' in arabic.text


def test_an_issue_shows_its_own_heading_introduction_date_and_pictures_that_are_links(site):
    page = drawn(site, "/archive/morning/3")
    assert page.css_first("h1").text() == "Über den Fluss"
    assert [each.text() for each in page.css("p.lead")] == ["Erstens.", "Zweitens."]
    assert page.css_first("main time").attributes["datetime"] == "2026-10-23"
    assert page.css_first("figure a").attributes["href"] == "https://town.example/die-br%C3%BCcke-%3C3%3E"


def test_an_issue_leads_to_the_issues_before_and_after_it(site):
    links = [(a.attributes["rel"], a.attributes["href"]) for a in drawn(site, "/archive/morning/2").css("nav a[rel]")]
    assert links == [("next", "/archive/morning/3"), ("prev", "/archive/morning/1")]
    assert not drawn(site, "/archive/morning/3").css("a[rel=next]")


def test_visitors_can_sign_up_on_the_archives_pages(site):
    with site.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        words = {"text": "Ja, ich will.", "actor": "tests", "now": LATE}
        wording_publication.publish(session, templating.environment, newsletter, **words)
    site.let_the_site_read_newsletters_again()
    for path in ("/archive/morning", "/archive/morning/2"):
        form = drawn(site, path).css_first("form[action='/subscribe']")
        fields = {str(each.attributes.get("name")): each.attributes.get("value") for each in form.css("input")}
        answer = site.browser.post("/subscribe", data={**fields, "email": "ana@example.org"})
        assert answer.status_code == 202


def test_issues_beyond_a_page_are_on_the_next_ones(site):
    with site.site.database.writing() as session:
        columns = {"newsletter_id": 1, "title": "Mehr", "status": IssueStatus.SENT, "run_at": LATE}
        columns |= {"window_to": LATE, "drafted_at": LATE, "sent_at": LATE}
        session.execute(insert(Issue), [{**columns, "number": number} for number in range(4, PER_PAGE + 3)])
    first = drawn(site, "/archive/morning")
    assert len(first.css("li h3")) == PER_PAGE
    older = first.css_first("a[rel=next]").attributes["href"]
    last = drawn(site, str(older))
    assert [a.attributes["href"] for a in last.css("li h3 a")] == ["/archive/morning/2", "/archive/morning/1"]
    assert not last.css("a[rel=next]")
    assert head(last, "link[rel=canonical]", "href") == [f"https://letters.example{older}"]
    in_arabic = str(last.css_first("header a[hreflang=ar]").attributes["href"])
    assert [a.text() for a in drawn(site, in_arabic).css("li h3 a")] == [a.text() for a in last.css("li h3 a")]


def test_pages_meant_to_be_found_say_what_they_are(site):
    page = drawn(site, "/archive/morning/3?language=ar&utm_source=x")
    address = "https://letters.example/archive/morning/3"
    assert head(page, "meta[name=description]") == ["Erstens."]
    assert (
        head(page, "link[rel=canonical]", "href") == head(page, "meta[property='og:url']") == [f"{address}?language=ar"]
    )
    assert head(page, "link[hreflang]", "hreflang") == ["de", "ar", "x-default"]
    assert head(page, "link[hreflang]", "href") == [address, f"{address}?language=ar", address]
    assert head(page, "meta[property='og:title']") == ["Die Brücke <3>"]
    assert head(page, "meta[property='og:type']") == ["article"]
    assert head(page, "meta[property='og:locale']") == ["ar_EG"]
    assert head(page, "meta[property='og:image']") == [f"https://letters.example/pictures/{SHA}.png"]
    for path in ("/archive/morning", "/n/morning"):
        page = drawn(site, path)
        assert head(page, "meta[name=description]") == ["Was war. Was wird."]
        assert head(page, "link[rel=canonical]", "href") == [f"https://letters.example{path}"]
    assert head(drawn(site, "/"), "link[rel=canonical]", "href") == ["https://letters.example/n/morning"]
    assert head(drawn(site, "/archive"), "link[rel=canonical]", "href") == ["https://letters.example/archive"]
    assert not head(LexborHTMLParser(site.browser.get("/archive/none").text), "link[rel=canonical]", "href")


def test_the_issues_can_be_read_as_feeds(site):
    links = drawn(site, "/archive/morning").css("link[rel=alternate][type]")
    atom_url, json_url = (str(link.attributes["href"]) for link in links)
    atom, json_feed = site.browser.get(atom_url), site.browser.get(json_url)
    assert [atom.headers["content-type"], json_feed.headers["content-type"]] == [
        link.attributes["type"] for link in links
    ]
    read, told = feedparser.parse(atom.content), json.loads(json_feed.text)
    assert not read.bozo
    assert read.feed.title == told["title"] == "The Morning Letter"
    assert read.feed.language == told["language"] == "de"
    assert [link["href"] for link in read.feed.links] == [atom_url, "https://letters.example/archive/morning"]
    assert (told["feed_url"], told["home_page_url"]) == (json_url, "https://letters.example/archive/morning")
    urls = [f"https://letters.example/archive/morning/{number}" for number in (3, 2, 1)]
    assert [entry.id for entry in read.entries] == [entry.link for entry in read.entries] == urls
    assert [item["id"] for item in told["items"]] == [item["url"] for item in told["items"]] == urls
    assert atom.headers["content-language"] == json_feed.headers["content-language"] == "de"
    newest = told["items"][0]
    assert (newest["title"], newest["summary"]) == ("Die Brücke <3>", "Erstens.")
    assert newest["date_published"] == "2026-10-23T00:30:00+02:00"
    assert newest["image"] == f"https://letters.example/pictures/{SHA}.png"
    assert f'src="https://letters.example/pictures/{SHA}.png"' in newest["content_html"]
    assert read.feed.updated == "2026-10-22T22:33:00+00:00"


def test_crawlers_are_told_what_to_read(site):
    robots = site.browser.get("/robots.txt").text
    assert "Disallow: /u/" in robots
    assert "Disallow: /archive" not in robots
    assert "Sitemap: https://letters.example/sitemap.xml" in robots
    sitemap = ET.fromstring(site.browser.get("/sitemap.xml").content)  # noqa: S314 - it is our own
    pages = [page.text.removeprefix("https://letters.example") for page in sitemap.iter() if page.tag.endswith("}loc")]
    assert pages[:4] == ["/", "/archive", "/n/morning", "/archive/morning"]
    legal = [f"/n/morning/{page}" for page in ("accessibility", "imprint", "privacy")]
    assert sorted(pages[4:]) == [*(f"/archive/morning/{number}" for number in (1, 2, 3)), *legal]
    assert all(site.browser.get(page).status_code == 200 for page in pages)
