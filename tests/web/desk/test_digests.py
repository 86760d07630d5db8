"""Digests at the desk: schedules in plain words, what the next issue would hold, and who may do what."""

import pytest
from sqlalchemy import select

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import Issue
from newsletter.operators.roles import Role
from tests.content.builders import a_feed, publish
from tests.web.desk.conftest import ON_BOTH

FORM = {
    "newsletter": "morning",
    "name": "Workdays",
    "pattern": "weekdays",
    "days": ["1"],
    "day": "1",
    "time": "07:00",
    "cron": "",
    "zone": "",
    "articles": "2",
    "send": "approve",
    "approve_within": "48",
    "late": "wait",
}


@pytest.fixture
def editor(service, sign_in):
    service.newsletter("morning", zone="Europe/Berlin")
    return sign_in(Role.EDITOR)


@pytest.fixture
def digest(service, editor) -> int:
    """A digest of at most two articles for approval, and a feed with three."""
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        publish(session, a_feed(session, morning), "bus", "bridge", "weir", now=service.clock())
        added = digests.add(
            session, morning, name="Workdays", cron="0 7 * * 1-5", articles=2, actor="tests", now=service.clock()
        )
        return added.id


def stored(service) -> list[Digest]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(Digest).order_by(Digest.id)))


def words(node) -> str:
    return " ".join(node.text().split())


def test_a_digest_is_added_in_plain_words_and_shows_its_runs(service, editor):
    page = editor.page("/digests/new")
    assert page.css_first("input[name=zone]").attributes["value"] == "Europe/Berlin"
    assert "Mon 16 Mar" in words(page.css_first("#runs"))
    answer = editor.post("/digests/new", {**FORM, "pattern": "monthly", "day": "last"}, of="/digests/new")
    (digest,) = stored(service)
    assert answer.headers["location"] == f"/desk/digests/{digest.id}?done=added"
    assert (digest.cron, digest.zone, digest.rule["approve_within"]) == ("0 7 L * *", "Europe/Berlin", 48)
    shown = editor.page(f"/digests/{digest.id}")
    assert words(shown.css_first("h1")) == "On the last day of the month at 07:00 (Europe/Berlin)"
    assert shown.css_first("input[name=pattern][value=monthly]").attributes.get("checked", "no") is None
    again = editor.post("/digests/new", FORM, of="/digests/new")
    assert (again.status_code, "already has a digest named" in again.text) == (422, True)
    assert len(stored(service)) == 1


def test_the_next_runs_follow_the_fields_with_and_without_script(service, sign_in, editor):
    service.clock.advance(days=14)
    editor = sign_in(Role.EDITOR)
    query = {"newsletter": "morning", "pattern": "cron", "cron": "30 2 * * *"}
    fragment = editor.get("/digests/runs", params=query)
    assert "02:30 does not exist on Sunday 29 March 2026" in fragment.text
    assert "<html" not in fragment.text
    shown = editor.post("/digests/new", {**FORM, **query, "show": "runs"}, of="/digests/new")
    assert shown.status_code == 200
    assert "02:30 does not exist on Sunday 29 March 2026" in shown.text
    assert 'value="30 2 * * *"' in shown.text
    assert stored(service) == []


def test_a_form_with_mistakes_comes_back_as_it_was_entered_with_all_of_them(service, editor):
    wrong = {
        **FORM,
        "newsletter": "nowhere",
        "name": "",
        "pattern": "cron",
        "cron": "0 7 30 2 *",
        "articles": "1000",
        "approve_within": "soon",
        "send": "later",
        "late": "",
    }
    answer = editor.post("/digests/new", wrong, of="/digests/new")
    assert answer.status_code == 422
    for told in (
        "Choose a newsletter.",
        "Enter a name.",
        "never runs: no month that it names has such a day",
        "from 1 to 100",
        "Enter a number of hours",
        "Choose who approves",
        "Choose what happens when an issue is late",
    ):
        assert told in answer.text
    assert 'value="0 7 30 2 *"' in answer.text
    for pattern, field in (({"pattern": "weekly", "days": []}, "days"), ({"time": "seven"}, "time")):
        answer = editor.post("/digests/new", {**FORM, **pattern}, of="/digests/new")
        assert (answer.status_code, f'id="{field}-error"' in answer.text) == (422, True)
    assert stored(service) == []


@ON_BOTH
def test_a_digest_shows_what_its_next_issue_would_hold_and_why(editor, digest):
    page = editor.page(f"/digests/{digest}")
    assert [words(item).partition(" Today")[0] for item in page.css("main ol:not(.ledger) li")] == [
        "About bus",
        "About bridge",
    ]
    assert "The issue is full; it waits for the next one" in words(page.css_first("details"))


@ON_BOTH
def test_an_issue_is_drafted_now_once_however_often_one_presses(service, editor, digest):
    path = f"/digests/{digest}"
    seen = editor.page(path).css_first("input[name=drafted_until]").attributes["value"]
    service.clock.advance(minutes=1)
    answers = [editor.post(f"{path}/draft", {"drafted_until": seen}, of=path) for _ in range(2)]
    with service.site.database.reading() as session:
        (issue,) = session.scalars(select(Issue.id)).all()
    assert {answer.headers["location"] for answer in answers} == {f"/desk/issues/{issue}"}
    seen = editor.page(path).css_first("input[name=drafted_until]").attributes["value"]
    service.clock.advance(minutes=1)
    editor.post(f"{path}/draft", {"drafted_until": seen}, of=path)
    refused = editor.post(f"{path}/draft", {"drafted_until": stored(service)[0].drafted_until.isoformat()}, of=path)
    assert refused.status_code == 409
    assert "There is nothing new" in refused.text


def test_a_digest_is_changed_and_an_equal_form_changes_nothing(service, editor, digest):
    path = f"/digests/{digest}"
    same = {**FORM, "zone": "Europe/Berlin", "approve_within": "72", "cron": "0 7 * * 1-5"}
    assert editor.post(path, same, of=path).headers["location"] == f"/desk{path}?done=changed"
    assert len(editor.page(path).css(".ledger li")) == 1
    assert (
        editor.post(path, {**same, "pattern": "daily", "time": "18.30", "archive": "yes"}, of=path).status_code == 303
    )
    (changed,) = stored(service)
    assert (changed.cron, changed.rule["archive"]) == ("30 18 * * *", True)
    refused = editor.post(path, {**same, "articles": "0"}, of=path)
    assert refused.status_code == 422
    assert stored(service)[0].cron == "30 18 * * *"


def test_only_a_publisher_lets_issues_leave_without_approval(service, sign_in, editor, digest):
    path = f"/digests/{digest}"
    automatic = {**FORM, "send": "automatic"}
    refused = editor.post(path, automatic, of=path)
    assert (refused.status_code, "ask a publisher" in refused.text) == (422, True)
    assert editor.post("/digests/new", {**automatic, "name": "Other"}, of="/digests/new").status_code == 422
    assert sign_in(Role.PUBLISHER).post(path, automatic, of=path).status_code == 303
    assert stored(service)[0].rule["send"] == "automatic"
    assert editor.post(path, {**automatic, "articles": "3"}, of=path).status_code == 303


def test_a_digest_is_paused_resumed_and_removed(service, editor, digest):
    path = f"/digests/{digest}"
    for _ in range(2):
        assert editor.post(f"{path}/pause", of=path).status_code == 303
    assert words(editor.page("/digests").css_first("h1")) == "The only digest is paused"
    for _ in range(2):
        assert editor.post(f"{path}/resume", of=path).status_code == 303
    assert words(editor.page("/digests").css_first("h1")) == "The next issue is drafted on Mon 16 Mar at 07:00"
    assert "Its issues stay" in editor.page(f"{path}/remove").text()
    for page in (f"{path}/remove", "/digests/new"):
        removed = editor.post(f"{path}/remove", of=page)
        assert removed.headers.get("location") == "/desk/digests?done=removed"
    assert words(editor.page("/digests").css_first("h1")) == "No digests yet"
    assert editor.get(path).status_code == 404


def test_a_viewer_reads_and_others_see_nothing(service, sign_in, digest):
    service.newsletter("evening")
    viewer = sign_in(Role.VIEWER, "morning")
    page = viewer.page(f"/digests/{digest}")
    assert page.css("main form") == []
    assert "By a publisher within 72 hours" in words(page.css_first("main"))
    other = sign_in(Role.EDITOR, "evening")
    assert other.get(f"/digests/{digest}").status_code == 404
    assert "Workdays" not in other.page("/digests").text()
    assert other.post("/digests/new", FORM, of="/digests/new").status_code == 422
    assert len(stored(service)) == 1
