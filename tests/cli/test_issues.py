"""The commands for issues, from draft to sent or cancelled."""

import json
import os
import pwd
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.issues import issue_texts, issues, transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import claims, deliveries
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.newsletters import Newsletter
from tests.builders import a_worker, owed
from tests.clock import NOON


@pytest.fixture
def drafted(newsletter) -> str:
    """The number of a draft with twelve articles."""
    return str(json.loads(newsletter("issues", "draft", "three", "--json").stdout)["issue"])


@pytest.fixture
def leaving(database) -> str:
    """The number of an issue with two queued deliveries."""
    with database.writing() as session:
        letter = session.get_one(Letter, owed(session, 2)[0].letter_id)
        return str(letter.issue_id)


def status(database, number: str) -> IssueStatus:
    with database.reading() as session:
        return session.get_one(Issue, int(number)).status


def claim_and_count(database) -> tuple[int, dict[str, int]]:
    """Claim deliveries; return how many, and the number of deliveries by status."""
    with database.writing() as session:
        claimed = claims.claim(session, a_worker(session), limit=9, urgent=False, key="k1", now=NOON)
        letter = session.scalars(select(Letter)).one()
        return len(claimed), {state.value: n for state, n in deliveries.status_counts(session, letter.id).items() if n}


@pytest.mark.parametrize("articles", ["-20", "0", "101"])
def test_an_issue_has_one_to_a_hundred_articles(newsletter, articles):
    assert newsletter("issues", "draft", "three", "--articles", articles).exit_code == 2
    assert (
        newsletter("digests", "add", "--newsletter", "three", "--cron", "0 7 * * *", "--articles", articles).exit_code
        == 2
    )
    assert json.loads(newsletter("issues", "status", "--json").stdout) == []


def test_a_title_is_one_line(newsletter):
    drafted = newsletter("issues", "draft", "three", "--title", " a\r\nb\tc\0 ", "--json")
    assert json.loads(drafted.stdout)["title"] == "a b c"


def test_a_blank_title_is_replaced_by_the_headlines(newsletter):
    drafted = newsletter("issues", "draft", "three", "--title", " \n ", "--json")
    assert json.loads(drafted.stdout)["title"] == "About news 0, and 11 more"


def test_a_title_over_the_maximum_length_is_refused(newsletter, failed):
    code, errors = failed("issues", "draft", "three", "--title", "x" * (issue_texts.MAX_TITLE + 1))
    assert (code, errors.partition(": ")[0]) == (1, "--title")
    assert newsletter("issues", "draft", "three", "--title", "x" * issue_texts.MAX_TITLE).exit_code == 0


def test_a_cancelled_drafts_articles_are_free_for_the_next_issue(newsletter, database, drafted):
    assert newsletter("issues", "cancel", drafted).exit_code == 0
    assert status(database, drafted) is IssueStatus.CANCELLED
    again = json.loads(newsletter("issues", "draft", "three", "--json").stdout)
    assert again["title"] == "About news 0, and 11 more"


def test_queued_deliveries_of_a_cancelled_issue_are_never_claimed(newsletter, database, leaving):
    assert newsletter("issues", "cancel", leaving).exit_code == 0
    assert claim_and_count(database) == (0, {"cancelled": 2})


def test_deliveries_of_a_paused_issue_wait_until_it_is_resumed(newsletter, database, leaving):
    assert json.loads(newsletter("issues", "pause", leaving, "--json").stdout)["status"] == "paused"
    assert claim_and_count(database) == (0, {"queued": 2})
    assert json.loads(newsletter("issues", "resume", leaving, "--json").stdout)["status"] == "sending"
    assert claim_and_count(database) == (2, {"claimed": 2})


def test_only_a_paused_issue_can_be_resumed(newsletter, failed, drafted):
    newsletter("issues", "send", drafted)
    assert failed("issues", "resume", drafted) == (
        1,
        f"Issue {drafted} is approved; only a paused issue can be resumed.\n",
    )


def test_a_cancelled_issue_cannot_be_changed(newsletter, failed, drafted):
    newsletter("issues", "cancel", drafted)
    for step in ("cancel", "pause", "resume", "send"):
        code, errors = failed("issues", step, drafted)
        assert code == 1
        assert errors.startswith(f"Issue {drafted} is cancelled")


def test_each_change_of_an_issue_is_in_the_audit_log(newsletter, database, drafted, leaving):
    for step, number in (("pause", leaving), ("resume", leaving), ("cancel", leaving), ("send", drafted)):
        assert newsletter("issues", step, number).exit_code == 0
    with database.reading() as session:
        mine = select(AuditEntry.actor, AuditEntry.verb, AuditEntry.subject).where(
            AuditEntry.actor != "tests", AuditEntry.subject.startswith("issue:")
        )
        entries = [tuple(row) for row in session.execute(mine.order_by(AuditEntry.id))]
    actor = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    assert entries == [
        (actor, "issue drafted", f"issue:{drafted}"),
        (actor, "issue paused", f"issue:{leaving}"),
        (actor, "issue resumed", f"issue:{leaving}"),
        (actor, "issue cancelled", f"issue:{leaving}"),
        (actor, "issue approved", f"issue:{drafted}"),
    ]


def test_a_preview_shows_placeholders_for_personal_links(newsletter, drafted):
    text = newsletter("issues", "preview", drafted).stdout
    assert "/u/preview\n" in text
    assert "/preferences/preview\n" in text


def test_a_preview_is_in_the_language_of_a_reader(newsletter, drafted):
    assert (
        '<html lang="de" dir="ltr"'
        in newsletter("issues", "preview", drafted, "--part", "html", "--language", "de").stdout
    )


def test_a_preview_file_that_cannot_be_written_is_named(failed, drafted, tmp_path):
    file = tmp_path / "nowhere" / "issue.html"
    assert failed("issues", "preview", drafted, "--to", str(file)) == (1, f"{file}: No such file or directory\n")


def test_the_status_shows_why_a_worker_paused_an_issue(newsletter, database, leaving):
    with database.writing() as session:
        issue = session.get_one(Issue, int(leaving))
        transitions.pause(session, issue, actor=audit_log.WORKER, now=NOON, reason="The title is missing.")
    assert "The title is missing." in newsletter("issues", "status", leaving).stdout
    assert json.loads(newsletter("issues", "status", leaving, "--json").stdout)["reason"] == "The title is missing."
    newsletter("issues", "resume", leaving)
    assert "The title is missing." not in newsletter("issues", "status", leaving).stdout


def test_the_status_of_an_issue_being_sent_shows_the_relays_trouble(newsletter, database, leaving, drafted):
    known = {"the relay mail.example.org:587": Condition("Connection refused")}
    NoticeWriter(database.writing).write(known, now=datetime.now(UTC))
    shown = newsletter("issues", "status", leaving)
    assert "the relay mail.example.org:587 (since " in shown.stdout
    assert "UTC): Connection refused\n" in shown.stdout
    (line,) = json.loads(newsletter("issues", "status", leaving, "--json").stdout)["relays"]
    assert line.endswith("Connection refused")
    assert json.loads(newsletter("issues", "status", drafted, "--json").stdout)["relays"] == []


def test_an_issue_whose_letter_mail_programs_would_clip_cannot_be_approved(newsletter, failed, database):
    with database.writing() as session:
        for article in session.scalars(select(Article)):
            article.title, article.url = "ü" * 300, f"{article.url}?{'a' * 1500}"  # too long also as headlines alone
    drafted = newsletter("issues", "draft", "three", "--articles", "30", "--json")
    number = str(json.loads(drafted.stdout)["issue"])
    code, errors = failed("issues", "send", number)
    assert (code, "90,000" in errors, "fewer articles" in errors) == (1, True, True)
    assert status(database, number) is IssueStatus.DRAFTED


def test_check_and_preview_tell_what_changed_after_the_draft(newsletter, database, drafted):
    assert (
        newsletter("issues", "check", drafted).stdout == f"Issue {drafted} can be sent; its articles are unchanged.\n"
    )
    with database.writing() as session:
        draft = session.get_one(Issue, int(drafted))
        first, second = list(session.scalars(select(Article).order_by(Article.published_at.desc(), Article.id.desc())))[
            :2
        ]
        first.edited_at = draft.drafted_at + timedelta(minutes=5)
        gone = session.get(Appearance, (second.feed_id, second.id)) or Appearance(
            feed_id=second.feed_id, article_id=second.id, identity=second.identity
        )
        gone.left_at, gone.is_withdrawn = draft.drafted_at, True
        session.add(gone)
    checked = json.loads(newsletter("issues", "check", drafted, "--json").stdout)
    assert [(note["title"], note["change"]) for note in checked["notes"]] == [
        (first.title, "edited"),
        (second.title, "withdrawn"),
    ]
    assert checked["problem"] is None
    for command in ("check", "preview"):
        assert f"“{first.title}” was edited after the draft (" in newsletter("issues", command, drafted).output


def test_an_issue_s_texts_are_given_with_the_draft_and_changed_later(newsletter, failed, database, tmp_path):
    intro = tmp_path / "intro.txt"
    intro.write_text("It rains.\n\nTake care.\n", encoding="utf-8")
    given = ("--heading", "A week of rain", "--intro", str(intro))
    number = json.loads(newsletter("issues", "draft", "three", *given, "--json").stdout)["issue"]
    assert newsletter("issues", "edit", str(number), "--heading", "Sun", "--title", "Sun at last").exit_code == 0
    with database.reading() as session:
        edition = issues.edition(session, session.get_one(Issue, number))
    assert (edition.title, edition.heading, edition.introduction) == ("Sun at last", "Sun", ("It rains.", "Take care."))
    assert newsletter("issues", "edit", str(number)).exit_code == 2
    intro.write_bytes(b"\xff\xfe")
    code, errors = failed("issues", "edit", str(number), "--intro", str(intro))
    assert (code, "no text in UTF-8" in errors) == (1, True)


def test_an_issue_is_approved_for_a_time_moved_and_taken_back(newsletter, failed, database, drafted):
    zone = "Europe/Berlin"
    at = (datetime.now(ZoneInfo(zone)) + timedelta(days=3)).strftime("%Y-%m-%d 09:00")
    with database.writing() as session:
        session.scalars(select(Newsletter)).one().zone = zone
    sha = json.loads(newsletter("issues", "check", drafted, "--json").stdout)["sha"]
    code, errors = failed("issues", "schedule", drafted, at, "--sha", "0" * 64)
    assert (code, errors) == (1, "The issue has changed since you looked at it. Look again.\n")
    newsletter("issues", "schedule", drafted, at, "--sha", sha)
    with database.reading() as session:
        issue = session.get_one(Issue, int(drafted))
        assert (issue.status, issue.approved_sha) == (IssueStatus.APPROVED, sha)
        assert issue.planned_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") == at
    assert failed("issues", "schedule", drafted, "2020-01-01 09:00")[1].endswith("still to come, within a year.\n")
    newsletter("issues", "unschedule", drafted)
    newsletter("issues", "edit", drafted, "--preheader", "What is inside")
    newsletter("issues", "approve", drafted)
    newsletter("issues", "send", drafted)
    with database.reading() as session:
        issue = session.get_one(Issue, int(drafted))
        assert (issue.status, issue.preheader) == (IssueStatus.APPROVED, "What is inside")
        assert issue.planned_at <= datetime.now(UTC)
