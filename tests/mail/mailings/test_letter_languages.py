"""Each reader gets letters in one language: their own, else the newsletter's."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter import templating
from newsletter.consent.subscribers.subscribers import Subscription
from newsletter.content.issues import headings, issues
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.errors import Refused
from newsletter.languages.languages import language
from newsletter.links import Links
from newsletter.mail.delivery import claims, words
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.letters.letters import Variant
from newsletter.mail.mailings import issue_layout, issue_letters, preference_links, probes
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup, a_worker, an_issue
from tests.clock import NOON
from tests.confirming import confirmations_sent, process

BASE = "https://letters.example.org"
OPTIONS = {"templates": templating.environment, "base_url": BASE}


@pytest.fixture
def writing(sqlite_database):
    """One database suffices where no statement of our own is tested."""
    return sqlite_database.writing


def a_reader_of(session, newsletter, tag: str | None, **columns):
    """Add a reader who chose a language."""
    reader = a_reader(session, newsletter, **columns)
    own = Subscription.subscriber_id == reader.id, Subscription.newsletter_id == newsletter.id
    session.execute(update(Subscription).where(*own).values(language=tag))
    return reader


def claimed(session, *, urgent: bool) -> dict[int | None, EmailMessage]:
    """Claim what is due; return the letters by subscriber."""
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    found = {}
    for each in claims.claim(session, a_worker(session), limit=99, urgent=urgent, key="k1", now=NOON):
        variant = session.get_one(Variant, each.variant)
        body = b"".join(assembler.assemble(each, variant, begin_by=0).body)
        again = Assembler(Links(KEYRING, BASE), KEYRING).assemble(each, variant, begin_by=0)
        assert b"".join(again.body) == body, "a repeat has the same bytes"
        found[each.subscriber] = message_from_bytes(body, policy=policy.default)
    return found


def parts(letter: EmailMessage) -> tuple[str, LexborHTMLParser]:
    return letter.get_body(("plain",)).get_content(), LexborHTMLParser(letter.get_body(("html",)).get_content())


def spoken(letter: EmailMessage) -> tuple[str | None, str | None]:
    """Return the language and direction that the letter says it has."""
    wrapper = parts(letter)[1].css_first("body > div").attributes
    return wrapper["lang"], wrapper["dir"]


def test_an_issue_has_one_variant_for_each_language_of_its_readers(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        newsletter.other_languages = ["de", "ar", "fr"]
        readers = {tag: a_reader_of(session, newsletter, tag).id for tag in (None, "de", "ar", "el")}
        a_reader_of(session, newsletter, "de")
        letter = issue_letters.send(
            session, an_issue(session, newsletter, status=IssueStatus.APPROVED), **OPTIONS, now=NOON
        )
        variants = session.scalars(select(Variant.language).where(Variant.letter_id == letter.id)).all()
        assert sorted(variants) == ["ar", "de", "en"], "none in French, which nobody reads; Greek has no catalogue"
        assert letter.audience == 5
        assert examination.examine(session) == []
        found = claimed(session, urgent=False)
    expected = {None: ("en", "ltr"), "de": ("de", "ltr"), "ar": ("ar", "rtl"), "el": ("en", "ltr")}
    assert {tag: spoken(found[reader]) for tag, reader in readers.items()} == expected
    for tag, reader in readers.items():
        own = language(tag or "en")
        text, html = parts(found[reader])
        for shown in (text, html.text()):
            assert own.day(NOON) in shown
            assert words.nameless_greeting(own) in shown


def test_a_subject_made_from_the_headlines_is_in_the_readers_language_and_any_other_stays(writing):
    with writing() as session:
        newsletter = a_newsletter(session)
        reader = a_reader_of(session, newsletter, "en-XA").id
        for issue in (an_issue(session, newsletter, status=IssueStatus.APPROVED) for _ in range(2)):
            issue.title = "A bridge opens, and 1 more"
            issue.has_generated_title = bool(session.scalar(select(Variant.id).limit(1)))
            issue.approved_sha = issues.content_hash(session, issue)
            issue_letters.send(session, issue, **OPTIONS, now=NOON)
            (subject,) = [
                each["Subject"] for number, each in claimed(session, urgent=False).items() if number == reader
            ]
            assert (subject == issue.title) == (not issue.has_generated_title)
    assert "A bridge opens" in subject


def test_a_name_that_runs_against_the_letter_is_isolated(writing):
    with writing() as session:
        newsletter = a_newsletter(session)
        named = {"مريم": "de", "Ana": "ar", "Bob": "de"}
        readers = {name: a_reader_of(session, newsletter, tag, name=name).id for name, tag in named.items()}
        issue_letters.send(session, an_issue(session, newsletter, status=IssueStatus.APPROVED), **OPTIONS, now=NOON)
        found = claimed(session, urgent=False)
    texts = {name: parts(found[reader]) for name, reader in readers.items()}
    for name in ("مريم", "Ana"):
        assert all(f"\u2068{name}\u2069" in shown for shown in (texts[name][0], texts[name][1].text()))
    assert "\u2068Bob" not in texts["Bob"][0]
    assert found[readers["مريم"]]["To"].addresses[0].display_name == "مريم"


def test_a_reader_keeps_their_language_when_the_newsletter_gets_another_one(writing):
    with writing() as session:
        newsletter = a_newsletter(session)
        keeps, follows = (a_reader_of(session, newsletter, tag).id for tag in ("en", None))
        issue = an_issue(session, newsletter, status=IssueStatus.APPROVED)
        issue.title, issue.has_generated_title = "A bridge opens, and 1 more", True
        newsletter.language = "de"
        issue.approved_sha = issues.content_hash(session, issue)
        issue_letters.send(session, issue, **OPTIONS, now=NOON)
        found = claimed(session, urgent=False)
    assert (spoken(found[keeps])[0], spoken(found[follows])[0]) == ("en", "de")
    subjects = [headings.headline(["A bridge opens", "The bus waits"], language(tag)) for tag in ("en", "de")]
    assert [found[keeps]["Subject"], found[follows]["Subject"]] == subjects


def test_an_issue_is_checked_in_every_language_that_the_newsletter_offers(writing):
    with writing() as session:
        newsletter = a_newsletter(session)
        newsletter.other_languages = ["ar"]
        a_reader_of(session, newsletter, "ja")
        titles = tuple(f"Title {number} " + "ö" * 180 for number in range(88))
        issue: Issue = an_issue(session, newsletter, status=IssueStatus.APPROVED)
        assert list(issue_layout.check(session, issue, **OPTIONS)) == ["en", "ar", "ja"]
        previews = {tag: issue_layout.preview(session, issue, **OPTIONS, tag=tag)["html"] for tag in (None, "ar", "el")}
        tags = [re.search(r'<html lang="(.*?)"', html)[1] for html in previews.values()]
        assert tags == ["en", "ar", "en"]
        with pytest.raises(Refused, match=r"\(en\)"):
            issue_layout.check(session, an_issue(session, newsletter, titles=titles), **OPTIONS)


def test_a_fresh_link_and_a_probe_are_in_the_language_of_their_reader(writing):
    with writing() as session:
        newsletter = a_newsletter(session)
        newsletter.language = "ja"
        reader = a_reader_of(session, newsletter, "ar")
        assert preference_links.owe(session, reader.id, asked_from=newsletter.id, keyring=KEYRING, **OPTIONS, now=NOON)
        probes.write(session, newsletter, "postmaster@example.org", actor="tests", now=NOON, **OPTIONS)
        found = claimed(session, urgent=True)
    assert spoken(found[reader.id]) == ("ar", "rtl")
    assert spoken(found[None]) == ("ja", "ltr")


def test_a_confirmation_is_in_the_language_of_the_visitor_and_the_evidence_has_its_times(writing):
    with writing() as session:
        newsletter = a_newsletter(session, language="de")
        a_signup(session, newsletter, "first@example.org", language="ar")
        a_signup(session, newsletter, "second@example.org")
    assert process(writing) == 2
    found = {
        each["To"]: each
        for each in (message_from_bytes(raw, policy=policy.default) for raw in confirmations_sent(writing))
    }
    assert spoken(found["first@example.org"]) == ("ar", "rtl")
    assert spoken(found["second@example.org"]) == ("en", "ltr"), "without a language of their own, that of the wording"
    text, html = parts(found["first@example.org"])
    times = words.confirmation_times(NOON, NOON, "UTC", language=language("ar"))
    assert all(time in text and time in html.text() for time in times.values())
    words_agreed = html.css_first("div[lang=en]")
    assert words_agreed.attributes["dir"] == "ltr"
    with writing() as session:
        assert examination.examine(session) == []
