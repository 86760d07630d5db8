"""An empty desk leads through newsletter, feed, digest and test letter; each step can be left and continued."""

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters
from newsletter.content import looking
from newsletter.content.digests.digests import Digest
from newsletter.content.downloading.slots import DownloadSlots
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from tests.content.builders import downloads
from tests.web.desk.conftest import ON_BOTH

URL = "https://press.example/town.xml"
FEED = b"""<rss version='2.0'><channel><title>Town</title>
<item><title>A bridge opens</title><link>/bridge</link><pubDate>Fri, 13 Mar 2026 09:00:00 GMT</pubDate></item>
<item><title>The bus waits</title><link>/bus</link><pubDate>Sat, 14 Mar 2026 09:00:00 GMT</pubDate></item>
</channel></rss>"""
ANSWERS = {
    "name": "Morning Letter",
    "publisher": "Example Press",
    "sender": "letters@press.example",
    "postal_address": "1 Street, 00000 Town",
    "language": "en",
    "zone": "Europe/Berlin",
}
MOST_FIELDS_AND_CLICKS = 25


def filled(page, path: str, answers: dict[str, str]) -> tuple[dict[str, str], int]:
    """Return the fields of a form as a browser would send them, and how many of them and buttons a person touches."""
    form = page.css_first(f"form[action='{path}']")
    assert form, page.html
    fields: dict[str, str] = {}
    for control in form.css("input, select"):
        kind, name, value = (control.attributes.get(key) or "" for key in ("type", "name", "value"))
        chosen = control.css_first("option[selected]")
        if kind not in {"radio", "checkbox"} or "checked" in control.attributes:
            fields[name] = (chosen.attributes["value"] if chosen else "") if control.tag == "select" else value
    touched = {name: value for name, value in answers.items() if fields[name] != value}
    return fields | touched, len(touched) + 1


def send(desk, page, path: str, answers: dict[str, str] | None = None):
    """Fill a form in and press its button; return where it leads, and what was touched."""
    fields, touched = filled(page, path, answers or {})
    answer = desk.browser.post(path, data=fields, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/desk"), touched


def look(service) -> None:
    """Let a worker look at the address that waits."""
    begin = service.site.database.writing
    looking.look_at_requested(begin, downloads({URL: FEED}), now=service.clock(), shared=DownloadSlots(2, stop=None))


def stored(service, row):
    with service.site.database.reading() as session:
        return list(session.scalars(select(row)))


@ON_BOTH
def test_a_desk_goes_from_nothing_to_a_scheduled_digest_and_a_test_letter(service, sign_in):
    desk = sign_in(Role.ADMIN)
    path = desk.page().css_first("a.button").attributes["href"].removeprefix("/desk")
    touched, screens = 1, [path]
    path, more = send(desk, desk.page(path), "/desk/start", ANSWERS)
    touched, screens = touched + more, [*screens, path]
    path, more = send(desk, desk.page(path), "/desk/start/morning-letter/feed", {"url": URL})
    touched, screens = touched + more, [*screens, path]
    assert desk.page(path).css_first("[data-hx-trigger='every 2s']")
    look(service)
    shown = desk.page(path)
    assert shown.css_first("h1").text() == "Town: 2 articles would come"
    path, more = send(desk, shown, "/desk/start/morning-letter/feed/add")
    touched, screens = touched + more, [*screens, path]
    assert len(desk.page(path).css("#runs tbody tr")) == 10
    path, more = send(desk, desk.page(path), "/desk/start/morning-letter/digest")
    touched, screens = touched + more, [*screens, path]
    assert len(screens) == 5
    assert touched <= MOST_FIELDS_AND_CLICKS
    (digest,) = stored(service, Digest)
    assert (digest.cron, digest.zone, digest.name) == ("0 7 * * 1-5", "Europe/Berlin", "Morning Letter")
    last = desk.page(path)
    assert last.css_first("h1").text() == "The first issue would hold 2 articles"
    path, _ = send(desk, last, "/desk/start/morning-letter/letter")
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=desk.address)
    assert letter["Subject"] == "[Test] The bus waits, and 1 more"
    today = desk.page(path)
    assert "on its way to your address" in today.css_first("[role=status]").text()
    assert today.css_first("h1").text() == "One issue waits for you"
    assert not today.css_first("a[href^='/desk/start']")
    assert [issue.status for issue in stored(service, Issue)] == [IssueStatus.DRAFTED]
    again = desk.page("/start/morning-letter/letter")
    assert again.css_first("h1").text() == "“The bus waits, and 1 more” is drafted"
    send(desk, again, "/desk/start/morning-letter/letter")
    assert len(stored(service, Issue)) == 1


def test_each_step_can_be_left_and_today_keeps_a_short_list(service, sign_in):
    desk = sign_in(Role.ADMIN)
    send(desk, desk.page("/start"), "/desk/start", ANSWERS)
    for path, following in (("feed", "digest"), ("digest", "letter")):
        later = desk.page(f"/start/morning-letter/{path}").css("main a")
        assert f"/desk/start/morning-letter/{following}" in {link.attributes["href"] for link in later}
    assert desk.get("/start", follow_redirects=False).headers["location"] == "/desk/start/morning-letter/feed"
    page = desk.page()
    assert page.css_first("h1").text() == "Nothing leaves yet: three steps to a first issue"
    send(desk, desk.page("/start/morning-letter/digest"), "/desk/start/morning-letter/digest")
    left = [link.text() for link in desk.page().css("a[href^='/desk/start']")]
    assert left == ["Add a feed", "Send yourself a test letter"]
    send(desk, desk.page("/start/morning-letter/letter"), "/desk/start/morning-letter/letter")
    service.run(Queue.URGENT)
    assert len(service.letters(to=desk.address)) == 1
    assert [link.text() for link in desk.page().css("a[href^='/desk/start']")] == ["Add a feed"]


@ON_BOTH
def test_every_button_pressed_twice_adds_one_thing(service, sign_in):
    desk = sign_in(Role.ADMIN)
    first, (path, _) = desk.page("/start"), send(desk, desk.page("/start"), "/desk/start", ANSWERS)
    assert send(desk, first, "/desk/start", ANSWERS)[0].startswith("/start/morning-letter/feed")
    path, _ = send(desk, desk.page(path), "/desk/start/morning-letter/feed", {"url": URL})
    look(service)
    shown = desk.page(path)
    ways = {send(desk, shown, "/desk/start/morning-letter/feed/add")[0] for _ in range(2)}
    form = desk.page(ways.pop())
    for _ in range(2):
        send(desk, form, "/desk/start/morning-letter/digest")
    assert [len(stored(service, row)) for row in (Newsletter, Feed, Digest)] == [1, 1, 1]


def test_a_newsletter_that_is_refused_is_shown_again_with_a_reason_beside_each_field(service, sign_in):
    wrong = {
        "name": ("  ", "Enter the newsletter's name"),
        "sender": ("letters", "letters"),
        "postal_address": ("", "Enter street and town"),
        "zone": ("berlin", "Did you mean Europe/Berlin"),
        "language": ("english please", "is not a language code"),
    }
    entered = ANSWERS | {field: value for field, (value, _) in wrong.items()}
    answer = sign_in(Role.ADMIN).post("/start", entered, of="/start")
    assert answer.status_code == 422
    page = LexborHTMLParser(answer.text)
    for field, (_, told) in wrong.items():
        assert told in page.css_first(f"#{field}-error").text()
    assert page.css_first("#publisher").attributes["value"] == "Example Press"
    assert stored(service, Newsletter) == []


def test_a_schedule_that_cannot_be_is_refused_and_the_next_runs_are_shown_without_saving(service, sign_in):
    service.newsletter("morning")
    desk = sign_in(Role.EDITOR, "morning")
    path = "/start/morning/digest"
    values = {
        "name": "Daily",
        "pattern": "weekly",
        "days": "6",
        "time": "9",
        "day": "1",
        "articles": "5",
        "send": "approve",
    }
    shown = desk.post(path, {**values, "show": "runs"}, of=path)
    assert shown.status_code == 200
    assert "Sat 21 Mar" in shown.text
    for wrong, told in (
        ({"days": ""}, "Choose at least one weekday."),
        ({"time": "25:00"}, "is not a time"),
        ({"articles": "many"}, "Enter a number of articles"),
        ({"pattern": "never"}, "Choose on which days"),
        ({"send": "automatic"}, "your role for this newsletter cannot approve them"),
    ):
        answer = desk.post(path, values | wrong, of=path)
        assert answer.status_code == 422
        assert told in answer.text
        assert "Waits until a publisher approves it" in answer.text
    assert stored(service, Digest) == []


def test_a_look_at_an_address_belongs_to_its_newsletter(service, sign_in):
    for slug in ("morning", "evening"):
        service.newsletter(slug)
    desk = sign_in(Role.EDITOR, "morning")
    path, _ = send(desk, desk.page("/start/morning/feed"), "/desk/start/morning/feed", {"url": URL})
    number = path.partition("look=")[2]
    assert sign_in(Role.EDITOR, "evening").get(f"/start/evening/feed?look={number}").status_code == 404
    answer = desk.post("/start/morning/feed/add", {"look": number}, of="/start/morning/feed")
    assert answer.status_code == 422
    assert "Nobody has looked at this address yet" in answer.text
    assert desk.post("/start/morning/feed", {"url": "not an address"}, of="/start/morning/feed").status_code == 422


def test_who_may_not_add_a_newsletter_is_not_asked_for_one(service, sign_in):
    viewer = sign_in(Role.VIEWER)
    assert viewer.get("/start").status_code == 403
    assert not viewer.page().css_first("a[href^='/desk/start']")


def test_a_name_without_latin_letters_and_a_second_of_the_same_name_get_words(service, sign_in):
    desk = sign_in(Role.ADMIN)
    path, _ = send(desk, desk.page("/start"), "/desk/start", ANSWERS | {"name": "朝の便り"})
    assert path.startswith("/start/newsletter/feed")
    with service.site.database.reading() as session:
        assert newsletters.named(session, "newsletter").name == "朝の便り"
    answer = desk.post("/start", ANSWERS | {"name": "夕"}, of="/start/newsletter/feed")
    assert answer.status_code == 422
    assert "Enter another name" in answer.text
