"""The demo's steps, from adding a newsletter to an unsubscribe; all counts come from the database."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.bench.visitor import Found, StepFailed, Visitor, wait_for
from newsletter.cli.demo.samples import Sample
from newsletter.consent.ledger.ledger import Event, LedgerEntry
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.consent.wordings import wording_publication
from newsletter.content.articles.articles import Article
from newsletter.content.digests import digests
from newsletter.content.digests.digests import WhenLate
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.queues.wakeups import Queue
from newsletter.web.site import Site

ARTICLES = 12  # in an issue


@dataclass(frozen=True)
class DemoNewsletter:
    """The newsletter of a demo: its language, its words and readers, and the URL of its feed."""

    language: str
    sample: Sample
    feed: str


@dataclass(frozen=True)
class DemoSteps:
    """Runs the demo's steps and prints each; all counts come from the database."""

    terminal: Console
    site: Site
    visitor: Visitor
    newsletter: DemoNewsletter
    check: Callable[[], None]  # raises NewsletterError if waiting is pointless

    def run(self, readers: int) -> dict[str, Any]:
        """Run every step and return the counts; raises NewsletterError if a step cannot succeed."""
        started = time.monotonic()
        self._add_newsletter()
        self._fetch_articles()
        self._sign_up(readers)
        self._confirm(readers)
        self._send_issue()
        self._unsubscribe_one()
        return {**self._counts(), "seconds": round(time.monotonic() - started, 1)}

    def _add_newsletter(self) -> None:
        sample = self.newsletter.sample
        with self.site.database.writing() as session:
            newsletter = newsletters.add(
                session,
                slug=sample.slug,
                name=sample.name,
                publisher=sample.publisher,
                description=sample.description,
                sender="letters@demo.example",
                postal_address=sample.postal_address,
                language=self.newsletter.language,
                zone=sample.zone,
                actor=audit_log.system_user(),
                now=clock.now(),
            )
            wording_publication.publish_proposed(
                session, self.site.templates, newsletter, actor=audit_log.system_user(), now=clock.now()
            )
        self._done("A newsletter with its consent wording", f"{self.site.settings.base_url}/n/{sample.slug}")

    def _fetch_articles(self) -> None:
        with self.site.database.writing() as session:
            newsletter = newsletters.named(session, self.newsletter.sample.slug)
            feeds.add(session, newsletter, self.newsletter.feed, actor=audit_log.system_user(), now=clock.now())
        self.site.wakeups.wake(Queue.FEEDS)
        self._wait_for(self._feed_is_fetched, "the feed to be fetched")
        number = self._counts()["articles"]
        if not number:
            raise StepFailed("The feed has no articles, so there is nothing to send. Give another one: --feed")
        self._done("The feed is fetched", f"{number} articles")

    def _feed_is_fetched(self) -> bool:
        with self.site.database.reading() as session:
            feed = session.scalars(select(Feed)).one()
        if feed.error:
            raise StepFailed(f"The feed cannot be used: {feed.error}")
        return feed.checked_at is not None

    def _sign_up(self, readers: int) -> None:
        with ThreadPoolExecutor(4) as threads:
            for number, _ in enumerate(threads.map(self._sign_up_one, range(readers)), 1):
                self._progress("Readers sign up on the form", number, readers)
        self._done("Readers signed up on the form", f"{self._counts()['signups']}")

    def _sign_up_one(self, number: int) -> None:
        sample = self.newsletter.sample
        name = sample.names[number % len(sample.names)]
        self.visitor.sign_up(sample.slug, f"reader{number + 1}@demo.example", name)

    def _confirm(self, readers: int) -> None:
        letters = self._wait_for(lambda: self.visitor.letters(readers), "the confirmation letters")
        for number, letter in enumerate(letters, 1):
            self.visitor.confirm(letter)
            self._progress("Readers confirm from the letter", number, readers)
        self._done("Readers confirmed from the letter", str(self._counts()["confirmed"]))

    def _send_issue(self) -> None:
        with self.site.database.writing() as session:
            digests.add(
                session,
                newsletters.named(session, self.newsletter.sample.slug),
                name="Every day at seven",
                cron="0 7 * * *",
                articles=ARTICLES,
                automatic=True,
                late=WhenLate.AT_ONCE,
                archive=True,  # the feed may be a file of years ago
                starts_at=clock.now() - timedelta(days=1, minutes=1),
                actor=audit_log.system_user(),
                now=clock.now(),
            )
        self.site.wakeups.wake(Queue.UPKEEP)
        issue = self._wait_for(self._issue, "the scheduler to draft the issue")
        self._done("The scheduler drafted an issue", issue.title)
        self._wait_for(lambda: self._status() is IssueStatus.SENT, "the issue's last delivery to be recorded")
        counts = self._counts()["issue"]
        self._done("The worker sent it", f"{counts['sent']} of {counts['audience']} letters")

    def _issue(self) -> Issue | None:
        with self.site.database.reading() as session:
            return session.scalar(select(Issue))

    def _status(self) -> IssueStatus | None:
        issue = self._issue()
        return issue.status if issue else None

    def _unsubscribe_one(self) -> None:
        issues = [letter for letter in self.visitor.letters(1) if "/confirm/" not in self.visitor.text(letter)]
        if issues:
            self.visitor.leave(issues[0])
        self._done("One reader unsubscribed in the mail program", f"{self._counts()['unsubscribed']}")

    def _wait_for(self, result: Callable[[], Found | None], name: str) -> Found:
        return wait_for(result, name, check=self.check)

    def _counts(self) -> dict[str, Any]:
        with self.site.database.reading() as session:
            letter = session.scalar(select(Letter).where(Letter.issue_id.is_not(None)))
            states = {s.value: n for s, n in status_counts(session, letter.id).items()} if letter else {}
            return {
                "signups": _count(session, Signup.id.is_not(None)),
                "confirmed": _count(session, LedgerEntry.event == Event.CONFIRMED),
                "articles": _count(session, Article.id.is_not(None)),
                "issue": {"audience": letter.audience if letter else 0, **states},
                "unsubscribed": _count(session, Subscription.standing == Standing.LEFT),
                "doctor": "wrong" if examination.examine(session) else "ok",
            }

    def _done(self, step: str, result: str) -> None:
        self.terminal.print(f"[green]✓[/] {step}: [bold]{escape(result)}[/]")

    def _progress(self, step: str, number: int, total: int) -> None:
        """Update a counting line; only on a terminal."""
        if self.terminal.is_terminal:
            self.terminal.print(f"  {step} {number}/{total}", end="\r" if number < total else "\x1b[2K\r")


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(condition)) or 0
