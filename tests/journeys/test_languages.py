"""Readers in several languages: each one's pages, letters, ledger and evidence are in the right one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.subscribers.subscribers import Subscriber, Subscription
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.wordings import Wording
from newsletter.content.digests import digests
from newsletter.languages.languages import language
from tests.content.builders import a_feed, publish
from tests.whole_service import WholeService, whole_service

FRENCH = {"accept-language": "fr"}  # of a browser that opens links of letters: the link decides
MONTHS = {"en": "March", "de": "März", "ar": "مارس"}

WORDS = {  # a publisher's own
    "en": "Please send me this newsletter by e-mail. I can stop this at any time.",
    "de": "Bitte schicken Sie mir diesen Newsletter per E-Mail. Ich kann ihn jederzeit abbestellen.",
    "ar": "أرجو إرسال هذه النشرة إلى بريدي الإلكتروني. ويمكنني إيقافها في أي وقت.",
}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeService]:
    """A service whose clock, workers and inboxes are the test's."""
    with whole_service(request.getfixturevalue(f"{request.param}_url"), tmp_path) as service:
        yield service


@dataclass(frozen=True)
class Reader:
    """Somebody who signs up for one newsletter with a browser that prefers some languages."""

    town: WholeService
    slug: str
    wants: str  # Accept-Language
    language: str  # that everything has to be in

    @property
    def address(self) -> str:
        return f"{self.language}.{self.slug}@example.org"

    def sign_up_and_confirm(self) -> None:
        """Sign up, open the letter, confirm; every page and the letter are in the reader's language."""
        browser = self.town.browser
        browser.headers["accept-language"] = self.wants
        form = browser.get(f"/n/{self.slug}")
        self.reads(form)
        assert form.headers["content-language"] == self.language
        answer = self.town.sign_up(self.address, self.slug)
        assert answer.status_code == 202
        self.reads(answer)
        self.town.run()
        (letter,) = self.town.letters(to=self.address)
        self.reads(letter)
        link = self.town.link(letter, "confirm")
        self.reads(browser.get(link, headers=FRENCH))
        self.reads(browser.post(link, data={"confirm": "yes"}, headers=FRENCH))

    def opens_the_issue(self) -> None:
        """Open the issue and the pages behind its links; all are in the reader's language."""
        issue = self.town.letters(to=self.address)[-1]
        assert MONTHS[self.language] in self.reads(issue)
        for path in ("u", "preferences"):
            link = next(link for link in self.town.links(issue) if link.startswith(f"/{path}/"))
            self.reads(self.town.browser.get(link, headers=FRENCH))
        link = next(link for link in self.town.links(issue) if link.startswith("/u/"))
        self.reads(self.town.browser.post(link, data={"unsubscribe": "yes"}, headers=FRENCH))

    def reads(self, shown: Any) -> str:
        """Return the HTML of a page or letter, which must be in the reader's language and direction."""
        html = shown.get_body(("html",)).get_content() if hasattr(shown, "get_body") else shown.text
        root = LexborHTMLParser(html).css_first("html").attributes
        assert (root["lang"], root["dir"]) == (self.language, language(self.language).direction), html[:2000]
        return str(html)


def test_three_newsletters_in_three_languages_keep_to_their_own(town: WholeService):
    readers = [Reader(town, f"paper-{tag}", "fr, en;q=0.5", tag) for tag in MONTHS]
    for reader in readers:
        town.newsletter(reader.slug, language=reader.language)
        town.publish_words(reader.slug, WORDS[reader.language], reader.language)
        reader.sign_up_and_confirm()
    send_an_issue(town, *(reader.slug for reader in readers))
    for reader in readers:
        reader.opens_the_issue()
        proof = proven(town, reader)
        assert proof.wording_language == proof.form_language == reader.language


def test_each_reader_of_one_newsletter_in_several_languages_gets_the_own_one(town: WholeService):
    town.newsletter("paper", language="en", other_languages=["de", "ar"])
    for tag, text in WORDS.items():
        town.publish_words("paper", text, tag)
    wanted = {"en": "fr", "de": "de-AT, en;q=0.5", "ar": "ar-EG"}
    readers = [Reader(town, "paper", wants, tag) for tag, wants in wanted.items()]
    for reader in readers:
        reader.sign_up_and_confirm()
    send_an_issue(town, "paper")
    for reader in readers:
        reader.opens_the_issue()
        proof = proven(town, reader)
        assert proof.wording_language == proof.form_language == proof.letters_language == reader.language
        assert proof.text == WORDS[reader.language]
        assert proof.text in proof.form
        assert proof.evidence["form_language"] == reader.language


@dataclass(frozen=True)
class Proof:
    """What is kept about a reader's consent."""

    wording_language: str
    text: str
    form_language: str
    form: str  # the exhibit
    letters_language: str | None
    evidence: dict[str, Any]


def proven(town: WholeService, reader: Reader) -> Proof:
    """Return the proof of the reader's consent, from the ledger."""
    with town.site.database.reading() as session:
        subscriber = session.scalars(select(Subscriber).where(Subscriber.address_key == reader.address)).one()
        confirmed = select(LedgerEntry).where(
            LedgerEntry.subject == subscriber.subject, LedgerEntry.event == Event.CONFIRMED
        )
        entry = session.scalars(confirmed).one()
        wording = session.get(Wording, entry.wording_id)
        form = session.scalars(
            select(Form).where(Form.wording_id == entry.wording_id, Form.kind == FormKind.HOSTED)
        ).one()
        subscription = session.scalars(select(Subscription).where(Subscription.subscriber_id == subscriber.id)).one()
        requested = select(LedgerEntry.id).where(
            LedgerEntry.subject == subscriber.subject, LedgerEntry.event == Event.REQUESTED
        )
        evidence = session.get(Evidence, session.scalars(requested).one())
        exhibit = session.get(Exhibit, form.exhibit)
        shown = LexborHTMLParser(exhibit.body.decode()).body.text()
        return Proof(
            wording.language, wording.text, form.language, shown, subscription.language, json.loads(evidence.body)
        )


def send_an_issue(town: WholeService, *slugs: str) -> None:
    """Send an issue of each of these newsletters."""
    with town.site.database.writing() as session:
        for slug in slugs:
            newsletter = newsletters.named(session, slug)
            publish(session, a_feed(session, newsletter, slug), f"bridge {slug}", f"bus {slug}", now=town.clock())
            digests.add(
                session, newsletter, name="daily", cron="0 12 * * *", automatic=True, actor="tests", now=town.clock()
            )
    town.clock.advance(days=1)
    town.run()
