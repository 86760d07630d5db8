"""A site under a path, https://town.example/letters: every link stays under it, whatever the proxy does with it."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from newsletter import newsletters
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.issues import approvals
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.queues.wakeups import Queue
from tests.builders import an_issue
from tests.clock import NOON
from tests.whole_service import WholeService, whole_service

SITE = "https://town.example/letters"
DESK = "https://desk.town.example"
SHA = "a" * 64
PUBLISHER = ("town.example", "press.example")  # what links may name beside the site: its articles
ADDRESSES = ("href", "src", "action", "srcset", "content")
XML_ADDRESS = re.compile(r">\s*(https?://[^<]+)<|(?:href|src)=\"([^\"]+)\"")


@pytest.fixture
def site(sqlite_url, tmp_path) -> Iterator[WholeService]:
    """A service under a path with two newsletters, of which one has issues with a picture."""
    with whole_service(sqlite_url, tmp_path, base_url=SITE, desk_url=DESK) as service:
        service.newsletter(brand="#7a1fa2")
        service.newsletter("evening")
        with service.site.database.writing() as session:
            newsletter = newsletters.named(session, "morning")
            newsletter.other_languages, newsletter.logo_sha256 = ["ar"], SHA
            session.add(Picture(sha256=SHA, type="image/png", width=80, height=60, body=b"png", found_at=NOON))
            for number in (1, 2):
                issue = an_issue(session, newsletter, status=IssueStatus.SENT, titles=(f"Bridge {number}",))
                issue.number, issue.sent_at = number, NOON
            for article in session.query(Article):
                article.picture_sha256, article.picture_alt = SHA, "A bridge"
        yield service


def addresses_in(answer: object, url: str) -> set[str]:
    """Return the addresses that a page, a feed, a sitemap or a stylesheet names, as a browser resolves them."""
    text, kind = answer.text, answer.headers["content-type"]
    if "html" in kind:
        nodes = LexborHTMLParser(text).css("*")
        named = [node.attributes[name] for node in nodes for name in ADDRESSES if node.attributes.get(name)]
        found = [each for each in named if each.startswith(("/", "http", "?", "#", "."))]
    elif "xml" in kind:
        found = [first or second for first, second in XML_ADDRESS.findall(text.replace("&lt;", "<"))]
    elif "json" in kind:
        found = re.findall(r"https?://[^\"\\]+", json.dumps(json.loads(text)))
    else:
        found = []
    return {urljoin(url, each.replace("&amp;", "&")) for each in found}


def crawled(browser: TestClient, first: set[str]) -> dict[str, int]:
    """Open every address of the site that a page names, beginning with the first; return the status of each."""
    seen: dict[str, int] = {}
    waiting = set(first)
    while waiting:
        url = waiting.pop().partition("#")[0]
        host, path = urlsplit(url).netloc, urlsplit(url).path
        if url in seen or host != "town.example" or path.startswith("/bridge-"):
            continue
        assert url == SITE or url.startswith((f"{SITE}/", f"{SITE}?")), f"{url} leaves the site's path"
        answer = browser.get(url)
        seen[url] = answer.status_code
        if not path.endswith("/subscribe"):
            waiting |= addresses_in(answer, url)
    return seen


def test_no_page_leads_out_of_the_path_or_to_nothing(site):
    first = {SITE, f"{SITE}/", f"{SITE}/sitemap.xml", f"{SITE}/subscribe", f"{SITE}/archive"}
    seen = crawled(site.browser, first)
    assert set(seen.values()) == {200}, {url: status for url, status in seen.items() if status != 200}
    shown = {url.removeprefix(SITE).partition("?")[0] for url in seen}
    assert {"/n/morning", "/archive/morning/2", f"/pictures/{SHA}.png", "/archive/morning/feed.atom"} <= shown
    assert any(path.startswith("/static/brand-7a1fa2.") for path in shown)


def test_letters_lead_under_the_path_from_signing_up_to_leaving_with_one_click(site):
    form = LexborHTMLParser(site.browser.get(f"{SITE}/n/morning").text).css_first("form")
    fields = {str(each.attributes.get("name")): each.attributes.get("value") for each in form.css("input")}
    action = urljoin(SITE, str(form.attributes["action"]))
    answer = site.browser.post(action, data={**fields, "email": "ada@example.org", "consent": "true"})
    assert answer.status_code == 202
    assert not [url for url in crawled(site.browser, addresses_in(answer, action)) if not url.startswith(SITE)]
    site.run(Queue.URGENT)
    link = site.link(site.letters()[-1], "confirm")
    assert site.browser.post(SITE + link, data={"confirm": "yes"}).status_code == 200
    with site.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        draft = an_issue(session, newsletter, status=IssueStatus.DRAFTED, titles=("Tunnel",))
        approvals.approve(session, session.get_one(Issue, draft.id), actor="tests", now=site.clock())
    site.clock.advance(days=1)
    site.run()
    letter = site.letters(to="ada@example.org")[-1]
    html = letter.get_body(("html",)).get_content()
    urls = set(re.findall(r"(?:href|src)=\"(https://town\.example/[^\"]+)\"", html))
    ours = {url for url in urls if "/tunnel" not in url}
    assert ours
    assert all(url.startswith(f"{SITE}/") for url in ours)
    assert all(site.browser.get(url).status_code == 200 for url in ours)
    one_click = letter["List-Unsubscribe"].strip("<>")
    assert one_click.startswith(f"{SITE}/u/")
    left = site.browser.post(one_click, data={"List-Unsubscribe": "One-Click"})
    assert left.status_code == 200


def test_a_proxy_may_strip_the_path_and_links_stay_the_same(site):
    stripped = TestClient(site.browser.app, base_url="https://town.example")
    for path in ("/n/morning", "/archive/morning/2", "/archive", "/"):
        assert stripped.get(path).text == stripped.get(f"/letters{path}").text
    assert stripped.get("/letters").text == stripped.get("/").text
    assert stripped.get("//letters//n//morning").headers["link"] == f'<{SITE}/n/morning>; rel="canonical"'
    assert stripped.get("/lettersx/archive").status_code == 404
    foreign = stripped.get("/letters/archive", headers={"Host": "evil.example"})
    assert "evil.example" not in foreign.text


def test_crawlers_learn_where_they_read_and_where_not(site):
    robots = site.browser.get(f"{SITE}/robots.txt").text
    assert "https://town.example/robots.txt" in robots.splitlines()[0]
    assert {"Disallow: /letters/u/", f"Sitemap: {SITE}/sitemap.xml"} <= set(robots.splitlines())


def test_the_desk_keeps_to_its_own_origin_and_shows_pictures_of_the_site(site, sqlite_url, tmp_path):
    desk = TestClient(site.browser.app, base_url=DESK, follow_redirects=False)
    signing_in = desk.get("/desk/sign-in")
    assert signing_in.status_code == 200
    loaded = addresses_in(signing_in, f"{DESK}/desk/sign-in") - {f"{DESK}/desk/sign-in"}
    assert loaded
    assert all(desk.get(url).status_code in (200, 303) for url in loaded if url.startswith(DESK)), loaded
    assert site.browser.get(f"{SITE}/desk/sign-in").status_code == 404
    without = site.site.settings.model_copy(update={"desk_url": None})
    assert "NEWSLETTER_DESK_URL" in str(without.desk_problem)
    on_the_same_host = site.site.settings.model_copy(update={"desk_url": "https://town.example"})
    assert "NEWSLETTER_DESK_URL" in str(on_the_same_host.desk_problem)
