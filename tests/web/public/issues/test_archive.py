"""A sent issue: the letter's links, the archive, the pictures, the outbox."""

import zlib
from struct import pack

import pytest

from newsletter import newsletters
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.digests import digests
from newsletter.queues.wakeups import Queue
from tests.content.builders import a_feed, publish
from tests.whole_service import WholeService, whole_service

ANA, BEN = "ana@example.org", "ben@example.org"
SHA = "a" * 64


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"".join(b"\0" + b"\x7f" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows)


@pytest.fixture
def sent(service: WholeService) -> WholeService:
    """A service with two readers who each got an issue of three articles, the first with a picture."""
    service.newsletter()
    service.reader(ANA)
    service.reader(BEN)
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        publish(session, a_feed(session, newsletter), "bridge", "bus", "orchard", now=service.clock())
        session.add(
            Picture(sha256=SHA, type="image/png", width=200, height=100, body=png(200, 100), found_at=service.clock())
        )
        session.flush()
        for article in session.query(Article):
            article.picture_sha256 = SHA if article.title == "About bridge" else None
        digests.add(
            session, newsletter, name="daily", cron="0 12 * * *", automatic=True, actor="tests", now=service.clock()
        )
    service.clock.advance(days=1)
    service.run(Queue.UPKEEP, Queue.BULK)
    return service


def test_no_link_of_an_issue_changes_anything_when_it_is_fetched(sent):
    (_, issue) = sent.letters(to=ANA)
    before = sent.rows()
    links = sent.links(issue)
    assert {link.split("/")[1] for link in links} >= {"u", "preferences", "archive"}
    for link in links * 3:
        assert sent.browser.get(link).status_code == 200
        assert sent.browser.head(link).status_code == 200
    assert sent.rows() == before


def test_two_readers_letters_differ_only_in_their_links(sent):
    ana, ben = (sent.letters(to=reader)[-1].get_body(("html",)).get_content() for reader in (ANA, BEN))
    differing = [(one, other) for one, other in zip(ana.split('"'), ben.split('"'), strict=True) if one != other]
    assert differing
    assert all("/u/" in one or "/preferences/" in one for one, _ in differing)


def test_the_one_click_link_of_an_issue_ends_the_subscription(sent):
    (_, issue) = sent.letters(to=ANA)
    assert issue["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answer = sent.browser.post(sent.link(issue, "u"), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    with sent.site.database.reading() as session:
        assert sorted(row.standing for row in session.query(Subscription)) == [Standing.LEFT, Standing.SUBSCRIBED]


def test_the_archive_shows_the_issue_without_personal_data(sent):
    page = sent.browser.get("/archive/morning/1").text
    assert all(f"About {what}" in page for what in ("bridge", "bus", "orchard"))
    assert "@example.org" not in page
    assert "/u/" not in page
    assert "/archive/morning" in sent.browser.get("/archive").text
    assert "/archive/morning/1" in sent.browser.get("/archive/morning").text
    assert "About bridge" in sent.browser.get("/n/morning").text, "the newest headlines are beside the form"


def test_unknown_issues_and_pictures_are_not_found(sent):
    for path in (
        "/archive/morning/2",
        "/archive/evening",
        "/archive/morning/one",
        f"/archive/morning/{'9' * 20}",
        "/pictures/0",
    ):
        assert sent.browser.get(path).status_code == 404, path


def test_pictures_are_served_from_our_own_host(sent):
    (_, issue) = sent.letters(to=ANA)
    html = issue.get_body(("html",)).get_content()
    address = f"{sent.site.settings.base_url}/pictures/{SHA}.png"
    assert html.count("<img") == html.count(f'src="{address}"') == 1
    answer = sent.browser.get(address)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == png(200, 100)


def test_the_outbox_can_be_read_on_this_machine(sent):
    page = sent.browser.get("/outbox").text
    assert "4 letters" in page
    html = sent.browser.get("/outbox/1.newsletter/html")
    assert "sandbox" in html.headers["content-security-policy"]
    assert "I ask Example Press" in html.text
    assert "I ask Example Press" in sent.browser.get("/outbox/1.newsletter/text").text
    assert "List-Unsubscribe: <" in sent.browser.get("/outbox/1.newsletter/source").text
    assert sent.browser.get("/outbox/1.newsletter").status_code == 200
    for nothing in ("/outbox/99.newsletter", "/outbox/..%2f..%2fsecret_key", "/outbox/1.newsletter/other"):
        assert sent.browser.get(nothing).status_code == 404


def test_the_outbox_is_shown_on_a_loopback_address_only(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path, base_url="https://letters.example.org") as public:
        assert public.browser.get("/outbox").status_code == 404
