"""Issues at the desk: listed, previewed, changed, approved for what was shown, followed and cancelled."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import audit_log, newsletters
from newsletter.consent.counts.day_counts import DayCounts
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.delivery_counts import DeliveryProgress
from newsletter.operators.roles import Role
from tests.builders import a_letter, an_issue
from tests.clock import NOON
from tests.content.builders import a_feed, publish
from tests.statements import executed
from tests.web.desk.conftest import ON_BOTH


@pytest.fixture
def draft(service) -> int:
    """A newsletter with a draft of two articles; the draft's id."""
    newsletter = service.newsletter(zone="Europe/Berlin")
    with service.site.database.writing() as session:
        publish(session, a_feed(session, newsletter), "bus", "bridge")
        newsletter = newsletters.named(session, "morning")
        return drafting.draft(session, newsletter, articles=2, actor="tests", now=service.clock()).id


@pytest.fixture
def publisher(service, draft, sign_in):
    return sign_in(Role.PUBLISHER)


def stored(service, number: int) -> Issue:
    with service.site.database.reading() as session:
        return session.get_one(Issue, number)


def sha(desk, number: int) -> str:
    return desk.page(f"/issues/{number}").css_first("input[name=sha]").attributes["value"]


def press(desk, number: int, action: str, **fields):
    """Send a form of the issue's page, and return the page that follows."""
    answer = desk.post(f"/issues/{number}/{action}", fields)
    if answer.status_code == 303:
        return desk.browser.get(answer.headers["location"])
    return answer


def headline(answer) -> str:
    start = answer.text.index("<h1>") + 4
    return answer.text[start : answer.text.index("</h1>")]


def test_a_publisher_approves_what_the_page_showed(service, publisher, draft):
    shown = sha(publisher, draft)
    answer = press(publisher, draft, "approve", sha=shown)
    assert (headline(answer), "The issue is approved." in answer.text) == ("Approved, and leaves within seconds", True)
    issue = stored(service, draft)
    assert (issue.status, issue.approved_sha, issue.actor) == (
        IssueStatus.APPROVED,
        shown,
        f"operator:{publisher.operator_id}",
    )
    again = press(publisher, draft, "approve", sha=shown)
    assert "That was done already." in again.text
    service.run()
    assert stored(service, draft).status is IssueStatus.SENT


def test_an_issue_that_changed_after_it_was_shown_is_not_approved(service, publisher, draft):
    shown = sha(publisher, draft)
    with service.site.database.writing() as session:
        session.scalars(select(Article)).first().title = "About trams"
    answer = press(publisher, draft, "approve", sha=shown)
    assert answer.status_code == 400
    assert "The issue has changed since you looked at it. Look again." in answer.text
    assert "About trams" in answer.text, "the page shows it as it is now"
    assert stored(service, draft).status is IssueStatus.DRAFTED


@ON_BOTH
def test_an_issue_is_approved_for_a_time_in_the_operator_s_zone_and_moved(service, publisher, draft):
    answer = press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at="2026-03-20T09:30")
    assert "Friday 20 March 2026 at 09:30 (UTC+1)" in answer.text
    issue = stored(service, draft)
    assert (issue.status, issue.planned_at.isoformat()) == (IssueStatus.APPROVED, "2026-03-20T08:30:00+00:00")
    shown = sha(publisher, draft)
    refused = press(publisher, draft, "send", sha="0" * 64)
    assert (refused.status_code, "changed since you looked at it" in refused.text) == (400, True)
    press(publisher, draft, "schedule", sha=shown, due_at="2026-03-21T09:30")
    assert stored(service, draft).planned_at.isoformat() == "2026-03-21T08:30:00+00:00"
    press(publisher, draft, "send", sha=shown)
    assert stored(service, draft).planned_at == service.clock()


@pytest.mark.parametrize(
    ("due_at", "says"),
    [
        ("2026-03-01T09:00", "Enter a time that is still to come, within a year."),
        ("2036-03-01T09:00", "Enter a time that is still to come, within a year."),
        ("2026-03-29T02:30", "the clocks are set forward. Enter 03:30, or another time."),
        ("next Friday", "Enter a date and a time, like 2026-12-05 09:00."),
        ("9999-12-31T23:59", "Enter a"),
        ("", "Enter a date and a time"),
    ],
)
def test_a_time_that_cannot_be_is_refused_beside_its_field(service, publisher, draft, due_at, says):
    answer = press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at=due_at)
    assert (answer.status_code, says in answer.text) == (422, True)
    assert f'value="{due_at}"' in answer.text or not due_at
    assert stored(service, draft).status is IssueStatus.DRAFTED


def test_a_time_that_comes_twice_is_told(service, publisher, draft):
    answer = press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at="2026-10-25T02:30")
    assert "the time comes twice: it leaves at the first" in answer.text
    assert stored(service, draft).planned_at.isoformat() == "2026-10-25T00:30:00+00:00"


def test_an_approval_is_taken_back_until_sending_begins(service, publisher, draft):
    press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at="2026-03-20T09:30")
    assert "The approval is taken back." in press(publisher, draft, "unschedule").text
    press(publisher, draft, "send", sha=sha(publisher, draft))
    service.run()
    answer = press(publisher, draft, "unschedule")
    assert (answer.status_code, "Nothing was changed: the issue is sent already." in answer.text) == (400, True)


def test_a_letter_that_mail_programs_would_clip_cannot_be_approved(service, publisher, draft):
    with service.site.database.writing() as session:
        for article in session.scalars(select(Article)):
            article.title, article.url = "ü" * 300, f"{article.url}?{'a' * 60_000}"
    answer = press(publisher, draft, "approve", sha=sha(publisher, draft))
    assert (answer.status_code, "the limit is 90,000" in answer.text) == (400, True)
    assert 'aria-disabled="true"' in answer.text
    assert stored(service, draft).status is IssueStatus.DRAFTED


def test_an_editor_changes_the_texts_and_an_approved_issue_is_a_draft_again(service, publisher, draft, sign_in):
    press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at="2026-03-20T09:30")
    editor, form = sign_in(Role.EDITOR), f"/issues/{draft}/text"
    assert "If you save a change, it is a draft again" in editor.get(form).text
    texts = {"title": "", "preheader": "Buses & bridges", "heading": "", "introduction": ""}
    same = editor.post(form, {**texts, "preheader": ""}, of=form, follow_redirects=True)
    assert "Nothing was changed" in same.text
    assert stored(service, draft).status is IssueStatus.APPROVED
    wrong = editor.post(form, {**texts, "heading": "<b>Rain</b>", "introduction": "a\n\nb\n\nc"}, of=form)
    assert wrong.status_code == 422
    for shown in ("Write the heading as plain text", "one or two paragraphs", "&lt;b&gt;Rain", "Buses &amp; bridges"):
        assert shown in wrong.text
    answer = editor.post(form, texts, of=form, follow_redirects=True)
    assert "the issue is a draft again. It must be approved before it is sent." in answer.text
    assert (stored(service, draft).status, stored(service, draft).preheader) == (
        IssueStatus.DRAFTED,
        "Buses & bridges",
    )
    assert "Buses &amp; bridges" in editor.get(f"/issues/{draft}/preview/light").text


def test_the_preview_is_a_sandboxed_document_in_each_language_and_light(service, publisher, draft):
    with service.site.database.writing() as session:
        newsletters.named(session, "morning").other_languages = ["de"]
    path = f"/issues/{draft}/preview"
    light = publisher.get(f"{path}/light")
    policy = light.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'self'", "sandbox"):
        assert part in policy
    assert "script-src" not in policy
    assert light.headers["cache-control"] == "no-store"
    assert ("prefers-color-scheme" in light.text, "@media not all" in light.text) == (False, True)
    dark = publisher.get(f"{path}/dark").text
    assert ("@media all" in dark, "color-scheme: dark" in dark) == (True, True)
    assert "/u/preview" in publisher.get(f"{path}/text").text
    assert '<html lang="de"' in publisher.get(f"{path}/light?language=de").text
    assert publisher.get(f"{path}/light?language=fr").status_code == 404
    assert publisher.get(f"{path}/source").status_code == 404
    frames = publisher.page(f"/issues/{draft}").css("iframe")
    assert len(frames) == 10
    assert all(frame.attributes["sandbox"] in ("", None) for frame in frames), "not even with same-origin"


def test_an_issue_that_is_leaving_is_paused_resumed_and_cancelled(service, publisher, draft, sign_in):
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        issue = an_issue(session, morning)
        letter, _ = a_letter(session, morning, issue=issue, audience=10)
        counts = {"sent": 6, "queued": 3, "failed": 1}
        session.add(DeliveryProgress(letter_id=letter.id, counts=counts, counted_at=NOON))
        number = issue.id
    page = publisher.get(f"/issues/{number}")
    assert (headline(page), "The sum is right" in page.text) == ("6 of 10 letters are out", True)
    assert "The issue is paused." in press(publisher, number, "pause").text
    assert "That was done already." in press(publisher, number, "pause").text
    assert "The issue is resumed." in press(publisher, number, "resume").text
    asked = publisher.get(f"/issues/{number}/cancel").text
    assert "About <b>3 readers</b> will not get" in asked
    assert "The 6 letters that are out cannot be called back." in asked
    assert "The issue is cancelled." in press(publisher, number, "cancel").text
    assert "That was done already." in press(publisher, number, "cancel").text
    late = press(publisher, number, "resume")
    assert (late.status_code, "Nothing was changed: the issue is cancelled." in late.text) == (400, True)


def test_the_page_tells_in_the_relay_s_words_why_a_worker_paused_the_issue(service, publisher, draft):
    with service.site.database.writing() as session:
        issue = an_issue(session, newsletters.named(session, "morning"))
        reason = "Of the last 50 letters 12 were refused for good. Most often: 550 5.7.1 <spam>"
        transitions.pause(session, issue, actor=audit_log.WORKER, now=NOON, reason=reason)
        number = issue.id
    assert "<code>550 5.7.1 &lt;spam&gt;</code>" in publisher.get(f"/issues/{number}").text


@ON_BOTH
def test_the_page_tells_who_gets_the_issue_and_what_publishers_changed(service, publisher, draft):
    with service.site.database.writing() as session:
        session.add(
            DayCounts(day=NOON.date(), newsletter_id=1, joined=1, left=0, readers=9318, counted_at=NOON),
        )
        article = session.scalars(select(Article).where(Article.title == "About bus")).one()
        article.edited_at = service.clock() + timedelta(minutes=3)
    text = publisher.get(f"/issues/{draft}").text
    assert "9,318 readers" in text
    assert "was edited after the draft" in text
    assert "drafted the issue" in text


def test_a_viewer_reads_and_decides_nothing(service, draft, sign_in):
    viewer = sign_in(Role.VIEWER)
    page = viewer.get(f"/issues/{draft}")
    assert "A publisher approves it." in page.text
    assert "/approve" not in page.text
    assert viewer.post(f"/issues/{draft}/approve").status_code == 403
    assert viewer.get(f"/issues/{draft}/cancel").status_code == 403


@ON_BOTH
def test_the_list_names_what_waits_and_shows_only_what_is_wanted_and_granted(service, draft, sign_in):
    service.newsletter("evening")
    with service.site.database.writing() as session:
        evening = newsletters.named(session, "evening")
        an_issue(session, evening, status=IssueStatus.SENT, titles=("Owls",), run_at=NOON - timedelta(days=40))
        an_issue(session, evening, status=IssueStatus.SENDING, titles=("Bats",), run_at=NOON)
    everything = sign_in(Role.VIEWER)
    assert headline(everything.get("/issues")) == "1 issue waits for approval and 1 is leaving"
    assert _titles(everything, "/issues?state=sent") == ["Owls"]
    assert _titles(everything, "/issues?month=2026-03&newsletter=evening") == ["Bats"]
    assert _titles(everything, "/issues?month=0000-00&state=no&newsletter=no&before=x-9") == [
        "Bats",
        "About bus, and 1 more",
        "Owls",
    ]
    assert _titles(sign_in(Role.VIEWER, "evening"), "/issues") == ["Bats", "Owls"]
    assert _titles(sign_in(Role.VIEWER, "evening"), "/issues?newsletter=morning") == ["Bats", "Owls"]


@ON_BOTH
def test_older_issues_follow_in_order_without_a_gap(service, draft, sign_in):
    with service.site.database.writing() as session:
        number = newsletters.named(session, "morning").id
        times = {"window_to": NOON, "drafted_at": NOON}
        session.add_all(
            Issue(
                newsletter_id=number, title=f"T{n}", status=IssueStatus.SENT, run_at=NOON - timedelta(n // 3), **times
            )
            for n in range(105)
        )
    viewer = sign_in(Role.VIEWER)
    found, path = [], "/issues?state=sent"
    while path:
        found += _titles(viewer, path)
        older = [each for each in viewer.page(path).css("a") if each.text() == "Older"]
        path = older[0].attributes["href"].removeprefix("/desk") if older else ""
    assert sorted(found) == sorted(f"T{n}" for n in range(105))
    assert [int(title[1:]) // 3 for title in found] == sorted(n // 3 for n in range(105))


def _titles(desk, path: str) -> list[str]:
    return [each.text() for each in desk.page(path).css("tbody th a")]


def test_a_newsletter_that_no_database_could_hold_is_none_of_the_newsletters(sign_in):
    desk = sign_in()
    answer = desk.post("/issues/draft", {"newsletter": "a\0b", "articles": "1"}, of="/issues/draft")
    assert (answer.status_code, "Choose one of the newsletters." in answer.text) == (422, True)


def test_an_editor_drafts_an_issue_by_hand(service, draft, sign_in):
    editor = sign_in(Role.EDITOR, "morning")
    service.newsletter("evening")
    form = "/issues/draft"
    nothing = editor.post(form, {"newsletter": "morning", "articles": "12"}, of=form)
    assert (nothing.status_code, "no new articles" in nothing.text) == (422, True)
    wrong = editor.post(form, {"newsletter": "morning", "articles": "many"}, of=form)
    assert "Enter a number from 1 to 100." in wrong.text
    foreign = editor.post(form, {"newsletter": "evening", "articles": "1"}, of=form)
    assert "Choose one of the newsletters." in foreign.text
    with service.site.database.writing() as session:
        publish(session, a_feed(session, newsletters.named(session, "morning"), "more"), "tram")
    answer = editor.post(form, {"newsletter": "morning", "articles": "1"}, of=form, follow_redirects=True)
    assert (answer.status_code, headline(answer)) == (200, "1 article, ready to approve")


@ON_BOTH
def test_a_form_that_is_sent_twice_drafts_one_issue(service, draft, sign_in):
    editor, form = sign_in(Role.EDITOR), "/issues/draft"
    with service.site.database.writing() as session:
        publish(session, a_feed(session, newsletters.named(session, "morning"), "more"), "tram", "train")
    newest = editor.page(form).css_first("input[name=newest]").attributes["value"]
    fields = {"newsletter": "morning", "articles": "1", "newest": newest}
    first, second = (editor.post(form, fields, of=form).headers["location"].partition("?")[0] for _ in range(2))
    assert first == second
    newer = {**fields, "newest": editor.page(form).css_first("input[name=newest]").attributes["value"]}
    assert editor.post(form, newer, of=form).headers["location"].partition("?")[0] != first


def test_an_approved_issue_whose_design_changed_says_that_it_does_not_leave(service, publisher, draft):
    press(publisher, draft, "schedule", sha=sha(publisher, draft), due_at="2026-03-20T09:30")
    with service.site.database.writing() as session:
        newsletters.named(session, "morning").brand = "#112233"
    assert headline(publisher.get(f"/issues/{draft}")) == "Changed since its approval, so it does not leave"


def test_an_editor_sends_themselves_a_test(service, draft, sign_in):
    editor = sign_in(Role.EDITOR)
    assert "A test letter is on its way to your own address." in press(editor, draft, "test").text
    service.run()
    (letter,) = [each for each in service.letters() if each["To"] == editor.address]
    assert letter["Subject"] == "[Test] About bus, and 1 more"
    for _ in range(9):
        press(editor, draft, "test")
    assert "You have sent yourself 10 test letters in this hour." in press(editor, draft, "test").text


@ON_BOTH
def test_the_pages_need_few_statements_however_much_there_is(service, draft, publisher):
    with service.site.database.writing() as session:
        for n in range(20):
            an_issue(session, newsletters.named(session, "morning"), titles=(f"A{n}", f"B{n}"))
    for path, most in (("/issues", 11), (f"/issues/{draft}", 16), (f"/issues/{draft}/preview/dark", 10)):
        publisher.get(path)
        with executed(service.site.database, reading=True) as statements:
            publisher.get(path)
        assert len(statements) <= most, "\n".join(statements)
