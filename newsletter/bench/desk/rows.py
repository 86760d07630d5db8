"""Insert a large service into an empty PostgreSQL database: readers, deliveries, issues, articles and the audit log.

PostgreSQL generates the rows itself. They have the sizes, states and dates of real ones; the hashes of the ledger are
invented, so `newsletter doctor` would report them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters, templating
from newsletter.bench import sample_issue
from newsletter.bench.environment import BASE_URL
from newsletter.consent.wordings import wording_publication
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.letters import letters
from newsletter.mail.letters.letters import LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.mailings import issue_layout
from newsletter.store.database import Database

ROWS_PER_STATEMENT = 100_000
FEEDS = 40  # every tenth fails
ARTICLES_PER_ISSUE = 10
OPERATORS = 20
SLUGS = (sample_issue.SLUG, "bench-weekly", "bench-alerts")

# What the newest issues are; all others are sent.
NEWEST = (
    IssueStatus.DRAFTED,
    IssueStatus.APPROVED,
    IssueStatus.SENDING,
    IssueStatus.PAUSED,
    IssueStatus.DRAFTED,
    IssueStatus.SENDING,
    IssueStatus.CANCELLED,
    IssueStatus.SKIPPED,
)
SENDING_SHARE = 4  # an issue that is being sent has so many times the readers of one that was sent

SUBSCRIBERS = """
    INSERT INTO subscribers (id, subject, address, address_key, fold_key, name, created_at)
    SELECT n, substring(sha256(int8send(n)) for 16), 'reader' || n || '@bench.example',
        'reader' || n || '@bench.example', encode(sha256(int8send(-n)), 'hex'), 'Reader ' || n,
        :now - (n % 730) * interval '1 day'
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
"""
SUBSCRIPTIONS = """
    INSERT INTO subscriptions (subscriber_id, newsletter_id, standing, cadence, since)
    SELECT n, CASE WHEN n % 10 < 6 THEN :first_one WHEN n % 10 < 9 THEN :second ELSE :third END,
        CASE n % 50 WHEN 0 THEN 'asked' WHEN 1 THEN 'left' WHEN 2 THEN 'left' ELSE 'subscribed' END,
        'every', :now - (n % 730) * interval '1 day' + interval '1 minute'
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
"""
LEDGER = """
    INSERT INTO ledger (subject, ordinal, event, newsletter_id, wording_id, at, evidence_digest, leaf)
    SELECT substring(sha256(int8send(n)) for 16), ordinal,
        CASE ordinal WHEN 1 THEN 'confirmed' ELSE 'withdrawn' END,
        CASE WHEN n % 10 < 6 THEN :first_one WHEN n % 10 < 9 THEN :second ELSE :third END,
        CASE WHEN n % 10 < 6 THEN :first_wording WHEN n % 10 < 9 THEN :second_wording ELSE :third_wording END,
        :now - (n % 730) * interval '1 day' / ordinal + interval '1 minute',
        sha256(int8send(n)), sha256(int8send(n * 2 + ordinal))
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n,
        generate_series(1, CASE WHEN n % 50 IN (1, 2) THEN 2 ELSE 1 END) ordinal
"""
FEED_ROWS = """
    INSERT INTO feeds (newsletter_id, url, title, added_at, checked_at, next_try_at, failures, error, read_at)
    SELECT CASE WHEN n % 10 < 6 THEN :first_one WHEN n % 10 < 9 THEN :second ELSE :third END,
        'https://site' || n || '.bench.example/feed.xml', 'Site ' || n, :now - interval '700 days',
        :now - interval '10 minutes', :now + interval '20 minutes', CASE n % 10 WHEN 0 THEN 30 ELSE 0 END,
        CASE n % 10 WHEN 0 THEN 'The site answered 503 Service Unavailable.' END, :now - interval '1 hour'
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
"""
ARTICLE_ROWS = """
    INSERT INTO articles (feed_id, identity, url, title, summary, html, has_whole_text, author, categories,
        picture_alt, published_at, first_seen_at, pictures)
    SELECT :first_feed + n % :feeds, 'urn:bench:' || n, 'https://site' || n % :feeds || '.bench.example/' || n,
        'What the bench measured on day ' || n, repeat('A sentence of a summary that says what was measured. ', 5),
        '<p>' || repeat('A sentence of an article that nobody reads. ', 60) || '</p>', true, 'Ana Bench', '[]', '',
        :now - (:articles - n) * interval '200 days' / :articles, :now - (:articles - n) * interval '200 days'
        / :articles, '[]'
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
"""
ISSUE_ARTICLES = """
    INSERT INTO issue_articles (issue_id, article_id, digest_id, position)
    SELECT :issue, article.id, :digest, row_number() OVER (ORDER BY article.id)
    FROM articles article WHERE article.id BETWEEN :first AND :last
"""
DELIVERIES = """
    INSERT INTO deliveries (letter_id, subscriber_id, variant_id, status, priority, due_at, queued_at, attempt,
        deferrals, doubts, deaths, carrier_id, first_tried_at, key_id, decided_at, reply_code, reply_text)
    SELECT :letter, 1 + (n + :letter * 7919) % :subscribers, :variant, status, 1, :run_at, :run_at,
        CASE status WHEN 'queued' THEN 0 ELSE 1 END, 0, 0, 0, CASE status WHEN 'queued' THEN NULL ELSE 1 END,
        CASE status WHEN 'queued' THEN NULL ELSE :run_at + n * interval '1 millisecond' END,
        CASE status WHEN 'queued' THEN NULL ELSE 'k1' END,
        CASE status WHEN 'queued' THEN NULL ELSE :run_at + n * interval '1 millisecond' END,
        CASE status WHEN 'sent' THEN 250 WHEN 'failed' THEN 550 END,
        CASE status WHEN 'sent' THEN '2.0.0 Ok: queued as ' || upper(substring(md5(n::text) for 10))
            WHEN 'failed' THEN '5.1.1 The email account that you tried to reach does not exist.' END
    FROM (
        SELECT n, CASE WHEN n > :decided THEN 'queued' WHEN n % 100 = 3 THEN 'failed' WHEN n % 100 = 4 THEN 'withheld'
            WHEN n % 5000 = 5 THEN 'unknown' ELSE 'sent' END AS status
        FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
    ) generated
"""
ACTS = """
    INSERT INTO acts (actor, verb, subject, fields, newsletter_id, at)
    SELECT CASE n % 4 WHEN 0 THEN 'scheduler' WHEN 1 THEN 'worker' ELSE 'operator:' || 1 + n % :operators END,
        CASE n % 5 WHEN 0 THEN 'issue approved' WHEN 1 THEN 'issue drafted' WHEN 2 THEN 'feed refreshed'
            WHEN 3 THEN 'newsletter changed' ELSE 'digest changed' END,
        CASE n % 5 WHEN 0 THEN 'issue:' || 1 + n % :issues WHEN 1 THEN 'issue:' || 1 + n % :issues
            WHEN 2 THEN 'feed:' || 1 + n % 40 WHEN 3 THEN 'newsletter:bench' ELSE 'digest:' || 1 + n % 3 END,
        '{}', CASE WHEN n % 10 < 6 THEN :first_one WHEN n % 10 < 9 THEN :second ELSE :third END,
        :now - (:last_act - n) * interval '700 days' / :last_act
    FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
"""
OPERATOR_ROWS = """
    WITH added AS (
        INSERT INTO operators (address, role, created_at, name)
        SELECT 'operator' || n || '@bench.example', 'editor', :now, 'Operator ' || n
        FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n RETURNING id
    )
    INSERT INTO grants (operator_id, newsletter_id, role) SELECT id, :first_one, 'editor' FROM added
"""

ShowInserted = Callable[[str], None]  # what is inserted now


@dataclass(frozen=True)
class DeskRows:
    """How many rows there are, and when the benchmark began."""

    subscribers: int
    deliveries: int
    issues: int
    articles: int
    acts: int
    now: datetime
    _sheets: dict[int, Sheet] = field(default_factory=dict)  # of one issue, by newsletter

    def insert(self, database: Database, show: ShowInserted) -> None:
        """Insert everything."""
        names = self._newsletters(database)
        steps = (
            ("readers", SUBSCRIBERS, self.subscribers),
            ("subscriptions", SUBSCRIPTIONS, self.subscribers),
            ("ledger entries", LEDGER, self.subscribers),
            ("feeds", FEED_ROWS, FEEDS),
            ("articles", ARTICLE_ROWS, self.articles),
            ("entries of the audit log", ACTS, self.acts),
            ("operators", OPERATOR_ROWS, OPERATORS),
        )
        values = {**names, "now": self.now, "articles": self.articles, "feeds": FEEDS, "first_feed": 1}
        values |= {"issues": self.issues, "operators": OPERATORS, "last_act": self.acts}
        for name, statement, number in steps:
            show(f"{number:,} {name}")
            self._generate(database, statement, number, values)
        show(f"{self.issues} issues with {self.deliveries:,} deliveries")
        self._issues(database)
        with database.writing() as session:
            session.execute(
                text("SELECT setval(pg_get_serial_sequence('subscribers', 'id'), :n)"), {"n": self.subscribers}
            )

    def _newsletters(self, database: Database) -> dict[str, int]:
        """Add the newsletters with their words and digests; return their numbers."""
        actor = audit_log.system_user()
        with database.writing() as session:
            first, wording = sample_issue.add_newsletter(session)
            added, wordings = [first], [wording.id]
            for slug in SLUGS[1:]:
                each = newsletters.add(
                    session,
                    slug=slug,
                    name=slug.replace("-", " ").capitalize(),
                    publisher="The Bench",
                    sender="letters@bench.example",
                    postal_address="1 Example Street, 00000 Exampleton",
                    zone="Europe/Berlin",
                    actor=actor,
                    now=self.now,
                )
                published = wording_publication.publish_proposed(
                    session, templating.environment, each, actor=actor, now=self.now
                )
                assert published
                added.append(each)
                wordings.append(published.id)
            for each in added:
                digests.add(session, each, name="Every morning", cron="0 7 * * *", actor=actor, now=self.now)
        names = ("first_one", "second", "third")
        numbers = dict(zip(names, (each.id for each in added), strict=True))
        return numbers | dict(zip(("first_wording", "second_wording", "third_wording"), wordings, strict=True))

    def _generate(self, database: Database, statement: str, number: int, values: dict[str, object]) -> None:
        for first, last in _portions(1, number):
            with database.writing() as session:
                _without_checks(session)
                session.execute(text(statement), {**values, "first": first, "last": last})

    def _issues(self, database: Database) -> None:
        """Add the issues, oldest first, with their letters and deliveries."""
        states = ([IssueStatus.SENT] * self.issues + list(reversed(NEWEST)))[-self.issues :]
        shares = [SENDING_SHARE if state is not IssueStatus.SENT else 1 for state in states if _has_letter(state)]
        unit = self.deliveries / sum(shares)
        for number, state in enumerate(states, 1):
            with database.writing() as session:
                issue = self._issue(session, number, state)
            if not _has_letter(state):
                continue
            share = 1 if state is IssueStatus.SENT else SENDING_SHARE
            audience = min(self.subscribers, max(1, round(unit * share)))
            with database.writing() as session:
                issue = session.merge(issue)
                letter, variant = self._letter(session, issue, audience)
            decided = audience if state is IssueStatus.SENT else audience // 2
            self._generate(
                database,
                DELIVERIES,
                audience,
                {
                    "letter": letter,
                    "variant": variant,
                    "subscribers": self.subscribers,
                    "decided": decided,
                    "run_at": issue.run_at,
                },
            )

    def _issue(self, session: Session, number: int, state: IssueStatus) -> Issue:
        which = number % len(SLUGS)
        newsletter = newsletters.named(session, SLUGS[which])
        digest = session.scalars(select(Digest).where(Digest.newsletter_id == newsletter.id)).one()
        waits = state in (IssueStatus.DRAFTED, IssueStatus.APPROVED)
        run_at = self.now - timedelta(hours=12) * (self.issues - number + 1) + timedelta(days=3 if waits else 0)
        issue = Issue(
            newsletter_id=newsletter.id,
            digest_id=digest.id,
            number=None if state in (IssueStatus.DRAFTED, IssueStatus.SKIPPED) else number,
            title=f"What the bench measured in week {number}",
            status=state,
            run_at=run_at,
            window_to=run_at,
            drafted_at=run_at - timedelta(days=3),
            approved_at=run_at - timedelta(hours=1) if state is not IssueStatus.DRAFTED else None,
            approved_sha="0" * 64 if _has_letter(state) or state is IssueStatus.APPROVED else None,
            actor="operator:1" if state is not IssueStatus.DRAFTED else None,
            sent_at=run_at + timedelta(minutes=5) if state is IssueStatus.SENT else None,
        )
        session.add(issue)
        session.flush()
        count = min(ARTICLES_PER_ISSUE, self.articles // self.issues)
        first = self.articles - (self.issues - number + 1) * count + 1
        values = {"issue": issue.id, "digest": digest.id, "first": first, "last": first + count - 1}
        session.execute(text(ISSUE_ARTICLES), values)
        return issue

    def _letter(self, session: Session, issue: Issue, audience: int) -> tuple[int, int]:
        if issue.newsletter_id not in self._sheets:  # a layout takes longer than its rows
            laid_out = issue_layout.check(session, issue, templates=templating.environment, base_url=BASE_URL)
            self._sheets[issue.newsletter_id] = next(iter(laid_out.values())).sheet
        letter, variant = letters.write(
            session,
            kind=LetterKind.ISSUE,
            occasion=f"issue:{issue.id}",
            newsletter_id=issue.newsletter_id,
            sheet=self._sheets[issue.newsletter_id],
            language="en",
            priority=Priority.BULK,
            audience=audience,
            issue_id=issue.id,
            now=issue.run_at,
        )
        return letter.id, variant.id


def _has_letter(state: IssueStatus) -> bool:
    return state in (IssueStatus.SENT, IssueStatus.SENDING, IssueStatus.PAUSED)


def _portions(first: int, last: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, ROWS_PER_STATEMENT):
        yield start, min(start + ROWS_PER_STATEMENT - 1, last)


def _without_checks(session: Session) -> None:
    """Let no foreign key be looked up for each row, where the user may forbid it: that takes half of the time."""
    if session.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text("SET LOCAL synchronous_commit = off"))
