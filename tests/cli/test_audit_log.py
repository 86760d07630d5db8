"""Every command that changes something writes an audit log entry with the user's name; a new command must do so too."""

import json
import os
import pwd
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from typer.main import get_command

from newsletter import audit_log, clock, registered_sites, settings
from newsletter.audit_log import AuditEntry
from newsletter.cli.app import app
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content import feed_changes
from newsletter.content.digests import digests, drafting
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import approvals, transitions
from newsletter.content.issues.issues import Issue
from newsletter.keys import load_keyring
from newsletter.legal_pages import page_texts
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters.letters import Letter
from newsletter.migrations.schema import metadata
from newsletter.newsletters import Newsletter
from newsletter.operators import operators
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.roles import Role
from newsletter.store.database import Database
from tests.builders import a_newsletter, a_reader, owed
from tests.clock import NOON
from tests.servers.dns_server import Zone

ACTOR = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
EVE = "eve@press.example"
READER, REFUSER = "reader@example.org", "refuser@example.org"

# These migrate the database as `migrate` does, or use their own, and run until they are stopped.
WHOLE_SERVICE_COMMANDS = {"demo", "serve", "bench delivery", "bench desk", "bench feeds", "bench signup"}
TABLES_OF_THE_SETTINGS = {"known_keys"}  # written when a command starts, from the settings

NEWSLETTER_OPTIONS = ("--name", "N", "--publisher", "P", "--sender", "a@press.example", "--postal-address", "S")
READING = {
    "doctor": (),
    "doctor domain": ("three", "--nameserver", "127.0.0.1:{dns}"),
    "newsletters list": (),
    "subscribers show": (READER,),
    "newsletters proposal": ("three",),
    "newsletters reasons": ("three",),
    "forms list": (),
    "pages show": ("three", "privacy"),
    "sites list": (),
    "feeds list": (),
    "feeds show": ("1",),
    "digests list": (),
    "digests upcoming": (),
    "issues preview": ("{drafted}",),
    "issues check": ("{drafted}",),
    "issues status": (),
    "operators list": (),
    "operators acts": (),
    "signups pressure": (),
}
CHANGING = {
    "migrate": (),  # it publishes a consent wording again whose form has changed
    "newsletters add": ("evening", *NEWSLETTER_OPTIONS),
    "newsletters change": ("three", "--return-path-domain", "bounces.press.example"),
    "subscribers withdraw": (READER, "--how", f"e-mail of 3 May from {READER}"),
    "subscribers allow": (REFUSER, "--reason", f"{REFUSER} asked for it by phone"),
    "newsletters wording": ("three", "I agree to other words."),
    "newsletters box": ("three", "--title", "Letters at three"),
    "forms publish": ("three", "noon"),
    "forms paste": ("noon",),
    "pages edit": ("three", "imprint", __file__),
    "pages reset": ("three", "privacy"),
    "sites add": ("three", "https://www.press.example"),
    "sites remove": ("three", "https://old.press.example/blog"),
    "feeds add": ("http://127.0.0.1:9/other.xml", "--newsletter", "three", "--anyway"),
    "feeds refresh": (),
    "feeds change": ("1", "--title", "The Gazette"),
    "feeds pause": ("1",),
    "feeds resume": ("{dormant}",),
    "feeds remove": ("1",),
    "digests add": ("--newsletter", "three", "--cron", "0 7 * * *"),
    "digests change": ("{digest}", "--articles", "3"),
    "digests pause": ("{digest}",),
    "digests resume": ("{resting}",),
    "digests remove": ("{digest}",),
    "digests run": ("{digest}",),
    "issues draft": ("three",),
    "issues edit": ("{drafted}", "--heading", "A week of rain"),
    "issues approve": ("{drafted}",),
    "issues schedule": ("{drafted}", "{soon}"),
    "issues unschedule": ("{approved}",),
    "issues send": ("{drafted}",),
    "issues cancel": ("{drafted}",),
    "issues pause": ("{leaving}",),
    "issues resume": ("{paused}",),
    "operators add": ("ana@press.example", "--role", "admin"),
    "operators invite": (EVE,),
    "operators drop-second-factor": (EVE,),
    "operators grant": (EVE, "viewer", "--newsletter", "three"),
    "operators revoke": (EVE,),
    "operators remove": (EVE,),
}


@pytest.fixture
def numbers(database: Database, zone: Zone) -> dict[str, Any]:
    """The numbers of issues by status, beside an operator, feeds that may not be fetched, and a DNS server."""
    zone.put("press.example", TXT="v=spf1 ip4:192.0.2.1 -all", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="192.0.2.1")
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=none; rua=mailto:reports@press.example")
    with database.writing() as session:
        leaving, paused = (_issue_of(session, owed(session, 2)[0]) for _ in range(2))
        transitions.pause(session, paused, actor="tests", now=NOON)
        three = session.scalars(select(Newsletter).where(Newsletter.slug == "three")).one()
        drafted = drafting.draft(session, three, articles=2, actor="tests", now=NOON)
        approved = drafting.draft(session, three, articles=2, actor="tests", now=NOON)
        approvals.approve(session, approved, actor="tests", now=NOON)
        operators.add(session, EVE, role=Role.EDITOR, actor="tests", now=NOON).totp_confirmed_at = NOON
        registered_sites.register(session, three, "https://old.press.example", actor="tests", now=NOON)
        a_reader(session, a_newsletter(session, "noon"), READER)
        suppressions.add(session, load_keyring(settings.load()), REFUSER, Reason.NEVER, now=NOON)
        session.execute(update(Feed).values(url="http://127.0.0.1:9/" + Feed.url))
        dormant = feeds.add(session, three, "http://127.0.0.1:9/dormant.xml", actor="tests", now=NOON)
        feed_changes.pause(session, dormant, actor="tests", now=NOON)
        facts = {"cron": "0 7 * * *", "actor": "tests", "now": NOON}
        digest, resting = (digests.add(session, three, name=name, **facts) for name in ("Daily", "Resting"))
        resting.active = False
        named = {"leaving": leaving, "paused": paused, "drafted": drafted, "digest": digest, "resting": resting}
        named["approved"] = approved
        page_texts.change(session, three, LegalPage.PRIVACY, "en", "# Ours", actor="tests", now=NOON)
        soon = f"{clock.now() + timedelta(days=7):%Y-%m-%d} 09:00"
        return {"soon": soon, "dns": zone.port, "dormant": dormant.id, **{name: row.id for name, row in named.items()}}


def _issue_of(session: Session, delivery: Delivery) -> Issue:
    return session.get_one(Issue, session.get_one(Letter, delivery.letter_id).issue_id)


@pytest.fixture
def performed(newsletter, numbers):
    """Run a command with its arguments and return the result."""
    arguments = READING | CHANGING
    return lambda command: newsletter(*command.split(), *(word.format(**numbers) for word in arguments[command]))


def rows(database: Database) -> dict[str, list[str]]:
    """Return the rows of every table, as text."""
    with database.reading() as session:
        tables = [table for table in metadata.sorted_tables if table.name not in TABLES_OF_THE_SETTINGS]
        return {table.name: sorted(str(tuple(row)) for row in session.execute(select(table))) for table in tables}


def audit_entries(database: Database) -> list[AuditEntry]:
    """Return the audit log entries of the command line."""
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.actor == ACTOR).order_by(AuditEntry.id)))


def commands(group: Any, path: str = "") -> Iterator[str]:
    """Return every command as a user types it."""
    for name in group.list_commands(None):
        each = group.get_command(None, name)
        if hasattr(each, "commands"):
            yield from commands(each, f"{path}{name} ")
        if not hasattr(each, "commands") or each.invoke_without_command:
            yield f"{path}{name}"


def test_every_command_is_listed_as_reading_or_changing():
    assert set(commands(get_command(app))) - WHOLE_SERVICE_COMMANDS == READING.keys() | CHANGING.keys()


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_changes_nothing(performed, database, numbers, command):
    before = rows(database)
    assert performed(command).exit_code == 0
    assert rows(database) == before


@pytest.mark.parametrize("command", CHANGING)
def test_a_command_that_changes_something_writes_an_audit_entry(performed, database, numbers, command):
    before = rows(database)
    assert performed(command).exit_code == (1 if command == "feeds refresh" else 0)
    after = rows(database)
    assert any(after[table] != before[table] for table in after if table != "acts")
    entries = audit_entries(database)
    assert entries
    assert "@" not in str([(entry.subject, entry.fields) for entry in entries]), "an entry holds no address"


def test_a_refused_command_writes_no_audit_entry(newsletter, database, numbers):
    for words in (("issues", "resume", str(numbers["drafted"])), ("operators", "add", EVE, "--role", "viewer")):
        assert newsletter(*words).exit_code == 1
    assert audit_entries(database) == []


def test_the_audit_log_is_listed_newest_last(newsletter, database, numbers):
    newsletter("issues", "send", str(numbers["drafted"]))
    newsletter("operators", "grant", EVE, "admin")
    lines = newsletter("operators", "acts").stdout.splitlines()
    assert len(lines) > 2
    assert lines[-1].endswith("operator's role changed  operator:1  (role: admin, before: editor)")
    assert f"{ACTOR}" in lines[-1]
    assert f"issue approved  issue:{numbers['drafted']}" in lines[-2]
    two = json.loads(newsletter("operators", "acts", "--limit", "2", "--json").stdout)
    assert [row["verb"] for row in two] == ["issue approved", "operator's role changed"]
    assert datetime.fromisoformat(two[0]["at"]).tzinfo is not None


def test_the_audit_log_is_listed_without_the_places_of_replies(newsletter, database):
    with database.writing() as session:
        fields = {audit_log.SEEN_REPLIES: {"1": {"1": [[0, 99]]}}}
        audit_log.record(
            session, actor="tests", verb="issue resumed", subject="issue:1", newsletter_id=None, now=NOON, **fields
        )
    assert newsletter("operators", "acts").stdout.endswith("issue resumed  issue:1\n")
    assert json.loads(newsletter("operators", "acts", "--json").stdout)[-1]["fields"] == {}


def test_operators_are_listed_with_their_roles(newsletter, numbers):
    newsletter("operators", "grant", EVE, "admin", "--newsletter", "three")
    line = f"   1  {EVE:<32}  editor of all newsletters, admin of three  (has no password yet)\n"
    assert newsletter("operators", "list").stdout == line
    newsletter("operators", "revoke", EVE)
    (row,) = json.loads(newsletter("operators", "list", "--json").stdout)
    assert (row["grants"], row["has_password"]) == ({"three": "admin"}, False)
    newsletter("operators", "remove", EVE.upper())
    assert json.loads(newsletter("operators", "list", "--json").stdout) == []


def test_an_added_operator_gets_a_link_that_a_newer_one_replaces(newsletter, numbers, database):
    answer = newsletter("operators", "add", "ana@press.example", "--role", "publisher", "--newsletter", "three")
    head, says, url = answer.stdout.splitlines()
    assert head == "ana@press.example is operator 2: publisher of three."
    assert says.startswith("This link lets them choose a password. It works once, until ")
    assert url.startswith("http://localhost:8000/desk/link/")
    newer = json.loads(newsletter("operators", "invite", "ana@press.example", "--json").stdout)
    assert newer["link"] != url
    with database.reading() as session:
        states = [each.used_at is None for each in session.scalars(select(OperatorLink).order_by(OperatorLink.id))]
    assert states == [False, True]


def test_whoever_lost_app_and_recovery_codes_is_let_in_with_the_password_alone(newsletter, numbers):
    says = [newsletter("operators", "drop-second-factor", EVE).stdout for _ in range(2)]
    assert says == [f"{EVE} is asked for no code any more.\n", f"{EVE} was asked for no code before either.\n"]


def test_the_last_administrator_stays_on_the_command_line_too(newsletter, failed, numbers):
    newsletter("operators", "grant", EVE, "admin")
    for words in (("remove", EVE), ("revoke", EVE), ("grant", EVE, "viewer")):
        code, says = failed("operators", *words)
        assert (code, "last administrator" in says) == (1, True)


def test_the_audit_log_is_filtered(newsletter, database, numbers):
    newsletter("issues", "send", str(numbers["drafted"]))
    newsletter("operators", "grant", EVE, "viewer")
    for options, verbs in (
        (("--actor", ACTOR), ["issue approved", "operator's role changed"]),
        (("--actor", "cli", "--about", "operators"), ["operator's role changed"]),
        (("--actor", ACTOR, "--newsletter", "three"), ["issue approved"]),
        (("--about", "doctor"), []),
        (("--since", "2999-01-01"), []),
    ):
        rows = json.loads(newsletter("operators", "acts", *options, "--json").stdout)
        assert [row["verb"] for row in rows] == verbs
