"""The demo's steps: what each comes to is counted in the database, not on the way."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from sqlalchemy import func, select

from newsletter import audit_log, clock, newsletters
from newsletter.bench.visitor import Found, Stuck, Visitor, until
from newsletter.consent import forms, wordings
from newsletter.consent.ledger import Event, LedgerEntry
from newsletter.consent.signups import Signup
from newsletter.consent.subscribers import Standing, Subscription
from newsletter.content import feeds
from newsletter.content.articles import Article
from newsletter.content.digests import digests
from newsletter.content.feeds import Feed
from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.queues.wakeups import Queue
from newsletter.web.site import Site

SLUG = "paper-and-clocks"
ARTICLES = 12  # in an issue
NAMES = ("Ana", "Jürgen", "Łucja", "Дарья", "小雪", "O'Neill", "", "José María", "Anne-Sophie", "Λευκή")


@dataclass(frozen=True)
class DemoSteps:
    """The demo's steps; what each comes to is counted in the database, not on the way."""

    say: Console
    site: Site
    visitor: Visitor
    feed: str
    watch: Callable[[], None]  # raises NewsletterError where waiting has no sense any more

    def play(self, readers: int) -> dict[str, Any]:
        """Perform everything and return the counts."""
        began = time.monotonic()
        self._begin_newsletter()
        self._fetch_articles()
        self._sign_up(readers)
        self._confirm(readers)
        self._send_issue(readers)
        self._one_leaves()
        return {**self._counts(), "seconds": round(time.monotonic() - began, 1)}

    def _begin_newsletter(self) -> None:
        with self.site.database.writing() as session:
            made = newsletters.add(
                session,
                slug=SLUG,
                name="Paper and Clocks",
                publisher="The Demo Press",
                description="How letters, clocks and bridges work. Twelve short pieces, whenever there are enough.",
                sender="letters@demo.example",
                postal_address="1 Example Street, 00000 Exampleton",
                actor=audit_log.system_user(),
                now=clock.now(),
            )
            text = wordings.default_text(made)
            forms.publish(session, self.site.templates, made, text=text, actor=audit_log.system_user(), now=clock.now())
        self._done("A newsletter with its consent wording", f"{self.site.settings.base_url}/n/{SLUG}")

    def _fetch_articles(self) -> None:
        with self.site.database.writing() as session:
            read = newsletters.named(session, SLUG)
            feeds.add(session, read, self.feed, actor=audit_log.system_user(), now=clock.now())
        self.site.wakeups.wake(Queue.FEEDS)
        self._until(self._feed_answered, "the feed to be fetched")
        self._done("The feed is fetched", f"{self._counts()['articles']} articles")

    def _feed_answered(self) -> bool:
        with self.site.database.reading() as session:
            feed = session.scalars(select(Feed)).one()
        if feed.error:
            raise Stuck(f"The feed cannot be used: {feed.error}")
        return feed.checked_at is not None

    def _sign_up(self, readers: int) -> None:
        with ThreadPoolExecutor(4) as crowd:
            for number, _ in enumerate(crowd.map(self._one_signs_up, range(readers)), 1):
                self._progress("Readers sign up on the form", number, readers)
        self._done("Readers signed up on the form", f"{self._counts()['signups']}")

    def _one_signs_up(self, number: int) -> None:
        self.visitor.sign_up(SLUG, f"reader{number + 1}@demo.example", NAMES[number % len(NAMES)])

    def _confirm(self, readers: int) -> None:
        letters = self._until(lambda: self.visitor.letters(readers), "the confirmation letters")
        for number, letter in enumerate(letters, 1):
            self.visitor.confirm(letter)
            self._progress("They open their letter and confirm", number, readers)
        self._done("They opened their letter and confirmed", str(self._counts()["confirmed"]))

    def _send_issue(self, readers: int) -> None:
        with self.site.database.writing() as session:
            digests.add(
                session,
                newsletters.named(session, SLUG),
                name="Every day at seven",
                cron="0 7 * * *",
                articles=ARTICLES,
                automatic=True,
                starts_at=clock.now() - timedelta(days=1, minutes=1),
                actor=audit_log.system_user(),
                now=clock.now(),
            )
        self.site.wakeups.wake(Queue.UPKEEP)
        issue = self._until(self._issue, "the scheduler to draft the issue")
        self._done("The scheduler drafted an issue", issue.title)
        self._until(
            lambda: self._status() in (IssueStatus.SENT, IssueStatus.SKIPPED),
            "the issue's last delivery to be recorded",
        )
        counts = self._counts()["issue"]
        self._done("The worker sent it", f"{counts['sent']} of {counts['audience']} letters")

    def _issue(self) -> Issue | None:
        with self.site.database.reading() as session:
            return session.scalar(select(Issue))

    def _status(self) -> IssueStatus | None:
        issue = self._issue()
        return issue.status if issue else None

    def _one_leaves(self) -> None:
        issues = [letter for letter in self.visitor.letters(1) if "/confirm/" not in self.visitor.text(letter)]
        if issues:
            self.visitor.leave(issues[0])
        self._done("One reader left with the mail program's own button", f"{self._counts()['unsubscribed']}")

    def _until(self, check: Callable[[], Found | None], what: str) -> Found:
        return until(check, what, watch=self.watch)

    def _counts(self) -> dict[str, Any]:
        """What the database says."""
        with self.site.database.reading() as session:

            def count(*where: Any) -> int:
                return session.scalar(select(func.count()).where(*where)) or 0

            letter = session.scalar(select(Letter).where(Letter.issue_id.is_not(None)))
            states = {s.value: n for s, n in status_counts(session, letter.id).items()} if letter else {}
            return {
                "signups": count(Signup.id.is_not(None)),
                "confirmed": count(LedgerEntry.event == Event.CONFIRMED),
                "articles": count(Article.id.is_not(None)),
                "issue": {"audience": letter.audience if letter else 0, **states},
                "unsubscribed": count(Subscription.standing == Standing.LEFT),
                "doctor": "wrong" if examination.examine(session) else "ok",
            }

    def _done(self, what: str, came_to: str) -> None:
        self.say.print(f"[green]✓[/] {what}: [bold]{escape(came_to)}[/]")

    def _progress(self, what: str, number: int, of: int) -> None:
        """A line that counts up, where somebody watches a terminal."""
        if self.say.is_terminal:
            self.say.print(f"  {what} {number}/{of}", end="\r" if number < of else "\x1b[2K\r")
