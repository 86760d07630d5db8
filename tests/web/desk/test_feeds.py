"""Feeds at the desk: what an editor sees of them, adds, changes and removes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from newsletter import newsletters
from newsletter.content import looking
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.downloading.slots import DownloadSlots
from newsletter.content.feeds import feeds, requested_looks
from newsletter.content.feeds.feeds import Feed
from newsletter.content.feeds.requested_looks import RequestedLook
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from tests.content.builders import a_feed, downloads, publish
from tests.web.desk.conftest import ON_BOTH

URL = "https://press.example/town.xml"
FEED = b"""<rss version='2.0'><channel><title>Town</title>
<item><title>A bridge opens</title><link>/bridge</link><pubDate>Fri, 13 Mar 2026 09:00:00 GMT</pubDate></item>
<item><title>The bus waits</title><link>/bus</link><pubDate>Sat, 14 Mar 2026 09:00:00 GMT</pubDate></item>
<item></item></channel></rss>"""


@pytest.fixture
def editor(service, sign_in):
    service.newsletter("morning")
    return sign_in(Role.EDITOR)


@pytest.fixture
def town(service, editor) -> Iterator[int]:
    """A feed with two articles."""
    with service.site.database.writing() as session:
        feed = a_feed(session, newsletters.named(session, "morning"))
        publish(session, feed, "bus", "bridge", now=service.clock())
        feed.checked_at = feed.read_at = service.clock()
        return feed.id


def work(service, answers) -> None:
    """Let a worker make the looks that wait."""
    database = service.site.database
    looking.look_at_requested(
        database.writing, downloads(answers), now=service.clock(), shared=DownloadSlots(2, stop=None)
    )


def h1(page) -> str:
    return " ".join(page.css_first("h1").text().split())


def entered_address(desk, service, url: str, answers=None) -> str:
    """Enter an address and let a worker look at it; return the path of the page that shows what came."""
    asked = desk.post("/feeds/new", {"newsletter": "morning", "url": url}, of="/feeds/new")
    assert asked.status_code == 303
    work(service, answers or {})
    return asked.headers["location"].removeprefix("/desk")


def rows(service) -> list[Feed]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(Feed).order_by(Feed.id)))


def test_a_feed_is_shown_before_it_is_added_and_fetched_once(service, editor):
    asked = editor.post("/feeds/new", {"newsletter": "morning", "url": " press.example/town.xml "}, of="/feeds/new")
    path = asked.headers["location"].removeprefix("/desk")
    waiting = editor.page(path)
    assert "Looking at" in h1(waiting)
    assert waiting.css_first("[data-hx-trigger='every 2s']")
    assert rows(service) == []
    work(service, {URL: FEED})
    shown = editor.page(path)
    assert h1(shown) == "Town: 2 articles would come"
    assert not shown.css_first("[data-hx-get]")
    assert [row.text() for row in shown.css("tbody th")] == ["The bus waits", "A bridge opens"]
    assert "1 entry without a title, a text or a link" in shown.text()
    look = shown.css_first("input[name=look]").attributes["value"]
    answers = [editor.post("/feeds/add", {"look": look}, of=path) for _ in range(2)]
    (feed,) = rows(service)
    assert {answer.headers["location"] for answer in answers} == {f"/desk/feeds/{feed.id}?done=added"}
    assert (feed.url, feed.title, feed.read_at) == (URL, "Town", service.clock())
    page = editor.page(f"/feeds/{feed.id}")
    assert h1(page) == "Town brought 2 articles in 7 days"
    assert f"{editor.address} added the feed" in " ".join(page.css_first(".ledger").text().split())
    assert "is added already" in editor.page(path).text()


def test_an_address_that_cannot_be_read_is_added_only_anyway(service, editor):
    path = entered_address(editor, service, URL)
    page = editor.page(path)
    assert h1(page) == "No feed can be read from this address"
    assert page.css_first("main code").text() == "The server answered 404 Not Found."
    assert page.css_first("input[name=url]").attributes["value"] == URL
    look = page.css_first("input[name=look]").attributes["value"]
    assert editor.post("/feeds/add", {"look": look}, of=path).status_code == 422
    assert rows(service) == []
    added = editor.post("/feeds/add", {"look": look, "anyway": "yes"}, of=path)
    (_feed,) = rows(service)
    failing = editor.page(added.headers["location"].removeprefix("/desk"))
    assert h1(failing) == "press.example/town.xml cannot be read"
    assert h1(editor.page("/feeds")) == "One feed needs a look"


def test_of_a_web_page_the_feed_that_it_names_is_one_press_away(service, editor):
    head = "<link rel=alternate type=application/rss+xml href=/town.xml>"
    site = "https://press.example/"
    path = entered_address(editor, service, site, {site: f"<html><head>{head}</head></html>".encode()})
    page = editor.page(path)
    assert h1(page) == "This is a web page that names its feed"
    form = {each.attributes["name"]: each.attributes["value"] for each in page.css("li form input")}
    asked = editor.post("/feeds/new", form, of=path)
    work(service, {URL: FEED})
    assert "2 articles would come" in h1(editor.page(asked.headers["location"].removeprefix("/desk")))


def test_an_address_that_cannot_be_taken_is_refused_at_once_beside_the_field(service, editor, town):
    told = {
        "": "Enter the address of a feed",
        "nowhere": "“nowhere” is not a web address",
        "https://user:secret@press.example/": "Remove the user name and password",
        "https://PRESS.example/town.xml/": "already has this feed",
    }
    for url, words in told.items():
        answer = editor.post("/feeds/new", {"newsletter": "morning", "url": url}, of="/feeds/new")
        assert answer.status_code == 422
        assert words in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert f'value="{url}"' in answer.text or not url


@ON_BOTH
def test_one_who_asks_twice_waits_for_one_look_and_old_looks_are_deleted(service, sign_in, editor):
    paths = {
        editor.post("/feeds/new", {"newsletter": "morning", "url": URL}, of="/feeds/new").headers["location"]
        for _ in range(2)
    }
    (path,) = paths
    service.clock.advance(hours=25)
    with service.site.database.writing() as session:
        assert requested_looks.delete_old(session, now=service.clock()) == 1
    assert sign_in(Role.EDITOR).get(path.removeprefix("/desk")).status_code == 404


def test_a_look_of_a_worker_that_ended_is_made_by_another(service, editor):
    entered = editor.post("/feeds/new", {"newsletter": "morning", "url": URL}, of="/feeds/new")
    with service.site.database.writing() as session:
        assert requested_looks.claim(session, now=service.clock(), limit=5)
        assert requested_looks.claim(session, now=service.clock(), limit=5) == []
    service.clock.advance(minutes=4)
    work(service, {URL: FEED})
    assert "Town" in h1(editor.page(entered.headers["location"].removeprefix("/desk")))


@ON_BOTH
def test_feeds_are_listed_by_newsletter_as_they_stand_and_only_where_a_role_is_held(service, sign_in, editor, town):
    service.newsletter("evening")
    with service.site.database.writing() as session:
        a_feed(session, newsletters.named(session, "evening"), "harbor")
    page = editor.page("/feeds")
    assert h1(page) == "All 2 feeds answer"
    assert [heading.text() for heading in page.css("section h2")] == ["The Morning Letter", "The Evening Letter"]
    assert page.css_first("tbody .num").text() == "2"
    evening = sign_in(Role.VIEWER, "evening")
    seen = evening.page("/feeds")
    assert h1(seen) == "The feed answers"
    assert "Town" not in seen.text()
    assert not seen.css_first("a[href='/desk/feeds/new']")
    assert evening.get(f"/feeds/{town}").status_code == 404
    assert evening.get("/feeds/new").status_code == 403


@ON_BOTH
def test_a_long_list_goes_on_on_another_page(service, editor):
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        for number in range(51):
            a_feed(session, morning, f"town{number}")
    first = editor.page("/feeds")
    assert len(first.css("tbody tr")) == 50
    more = editor.page(first.css_first("a[href*='after=']").attributes["href"].removeprefix("/desk"))
    assert [row.text() for row in more.css("tbody th a")] == ["Town50"]
    assert not more.css_first("a[href*='after=']")
    assert editor.get("/feeds?after=nonsense").status_code == 200


def test_an_empty_desk_says_what_will_be_here(service, sign_in):
    assert h1(sign_in(Role.ADMIN).page("/feeds")) == "No feeds yet"
    assert "there is none yet" in sign_in(Role.ADMIN).page("/feeds/new").text()


def test_a_viewer_reads_and_changes_nothing(service, sign_in, town):
    viewer = sign_in(Role.VIEWER)
    page = viewer.page(f"/feeds/{town}")
    assert [form.attributes["action"] for form in page.css("main form")] == []
    assert viewer.post(f"/feeds/{town}/pause", of="").status_code == 403
    assert rows(service)[0].paused_at is None


def test_a_feed_is_asked_now_and_its_page_waits_for_the_result(service, editor, town):
    with service.site.database.writing() as session:
        session.execute(update(Feed).values(next_try_at=service.clock.time.replace(year=2030)))
    service.clock.advance(minutes=5)
    answer = editor.post(f"/feeds/{town}/refresh", of=f"/feeds/{town}")
    assert rows(service)[0].next_try_at == service.clock()
    path = answer.headers["location"].removeprefix("/desk")
    assert editor.page(path).css_first("[data-hx-trigger='every 2s']")
    service.clock.advance(seconds=3)
    with service.site.database.writing() as session:
        session.execute(update(Feed).values(checked_at=service.clock()))
    assert not editor.page(path).css_first("[data-hx-trigger]")


def test_a_feed_is_paused_and_resumed_and_twice_is_harmless(service, editor, town):
    for _ in range(2):
        assert editor.post(f"/feeds/{town}/pause", of=f"/feeds/{town}").status_code == 303
    page = editor.page(f"/feeds/{town}?done=paused")
    assert h1(page) == "Town is paused"
    assert "it is asked no more" in page.css_first(".notice").text().lower()
    for _ in range(2):
        assert editor.post(f"/feeds/{town}/resume", of=f"/feeds/{town}").status_code == 303
    told = [line.text().partition(" ")[2] for line in editor.page(f"/feeds/{town}").css(".ledger p")]
    assert told == ["resumed the feed", "paused the feed", "added the feed"]


def test_a_feed_gets_a_title_of_its_own(service, editor, town):
    path = f"/feeds/{town}"
    editor.post(f"{path}/title", {"title": "The Gazette"}, of=path)
    assert "The Gazette" in h1(editor.page(path))
    refused = editor.post(f"{path}/title", {"title": "x" * 201}, of=path)
    assert refused.status_code == 422
    assert "x" * 201 in refused.text
    editor.post(f"{path}/title", {"title": ""}, of=path)
    assert "Town" in h1(editor.page(path))


def test_a_feed_moves_only_to_a_newsletter_that_the_operator_edits(service, sign_in, editor, town):
    service.newsletter("evening")
    move = f"/feeds/{town}/newsletter"
    assert sign_in(Role.EDITOR, "morning").post(move, {"newsletter": "evening"}).status_code == 422
    with service.site.database.reading() as session:
        evening = newsletters.named(session, "evening").id
    assert editor.post(move, {"newsletter": ""}, of=f"/feeds/{town}").status_code == 422
    assert editor.post(move, {"newsletter": "evening"}, of=f"/feeds/{town}").status_code == 303
    assert rows(service)[0].newsletter_id == evening
    assert editor.post(move, {"newsletter": "evening"}, of=f"/feeds/{town}").status_code == 303


def test_a_new_address_is_looked_at_before_it_is_taken(service, editor, town):
    path = f"/feeds/{town}/address"
    new = "https://press.example/new.xml"
    asked = editor.post(path, {"url": new}, of=path)
    work(service, {new: FEED})
    shown = asked.headers["location"].removeprefix("/desk")
    page = editor.page(shown)
    assert "2 articles would come" in h1(page)
    look = page.css_first("input[name=look]").attributes["value"]
    assert rows(service)[0].url == URL
    for _ in range(2):
        taken = editor.post(f"/feeds/{town}/readdress", {"look": look}, of=shown)
        assert taken.headers["location"] == f"/desk/feeds/{town}?done=readdressed"
    assert rows(service)[0].url == new
    assert editor.post(path, {"url": "nowhere"}, of=path).status_code == 422


def test_a_feed_is_removed_after_a_page_that_says_what_stays(service, editor, town):
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        draft = drafting.draft(session, morning, articles=1, actor="tests", now=service.clock()).id
    page = editor.page(f"/feeds/{town}/remove")
    told = " ".join(page.text().split())
    assert "1 article that no issue holds" in told
    assert "1 article in issues" in told
    assert page.css_first(f"a[href='/desk/issues/{draft}']")
    for page in (f"/feeds/{town}/remove", "/feeds/new"):
        removed = editor.post(f"/feeds/{town}/remove", of=page)
        assert removed.headers.get("location") == "/desk/feeds?done=removed"
    assert h1(editor.page("/feeds")) == "No feeds yet"
    assert editor.get(f"/feeds/{town}").status_code == 404
    with service.site.database.reading() as session:
        assert len(session.scalars(select(Article)).all()) == 1
        with pytest.raises(Exception, match="removed"):
            feeds.numbered(session, town)


def test_the_workers_of_the_feeds_queue_make_the_looks_and_those_of_upkeep_delete_them(service, editor):
    """An address in a private network is refused before anything is asked, and the page says so."""
    asked = editor.post("/feeds/new", {"newsletter": "morning", "url": "http://10.0.0.1/feed"}, of="/feeds/new")
    service.run(Queue.FEEDS)
    page = editor.page(asked.headers["location"].removeprefix("/desk"))
    assert h1(page) == "No feed can be read from this address"
    service.clock.advance(hours=25)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        assert session.scalars(select(RequestedLook)).all() == []


def test_what_a_feed_writes_stays_text(service, editor):
    script = b"<rss version='2.0'><channel><title>&lt;script&gt;alert(1)&lt;/script&gt;Town</title></channel></rss>"
    path = entered_address(editor, service, URL, {URL: script})
    assert "<script>alert" not in editor.get(path).text
