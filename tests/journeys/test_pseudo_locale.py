"""A journey in the pseudo-locale: each word of pages and letters is a catalogue's, or the publisher's own.

Whatever a catalogue translates is in brackets. The publisher's and the visitors' words here are Cyrillic. So a Latin
letter outside of brackets is a word that no catalogue marks.
"""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.languages.pseudo import CLOSING, OPENING, TAG
from newsletter.queues.wakeups import Queue
from tests.content.builders import a_feed, an_entry, store
from tests.whole_service import WholeService, whole_service

ANA, BEN = "ana@example.org", "ben@example.org"
PUBLISHERS = {"name": "Утро", "publisher": "Улица", "postal_address": "Площадь 1", "language": TAG}
# Addresses and URLs, masked addresses, zones, offsets, and the service's own name.
DATA = re.compile(r"https?://\S+|[\w.•+-]+@[\w.•-]+|localhost\S*|Europe/Berlin|UTC(?:[+−]\d+)?|morning")  # noqa: RUF001
META = (
    "meta[name=description], meta[property='og:title'], meta[property='og:description'], meta[property='og:image:alt']"
)
SPOKEN = ("alt", "title", "aria-label", "placeholder")


def unmarked(text: str) -> str:
    """Return what is left of a text with Latin letters, after removing what is in brackets and what is data."""
    depth, outside = 0, []
    for character in text:
        depth += character == OPENING
        if not depth:
            outside.append(character)
        depth -= character == CLOSING
    rest = DATA.sub("", "".join(outside))
    return " ".join(rest.split()) if re.search("[A-Za-z]", rest) else ""


def of_html(html: str) -> list[str]:
    """Return the unmarked words of a page: its title, its texts, and what is read aloud."""
    page = LexborHTMLParser(html)
    for hidden in page.css("style, script, code, optgroup"):  # cities of time zones are CLDR's
        hidden.decompose()
    # Whole blocks, because a catalogue's text may hold inline tags.
    texts = [node.text() for node in page.css("title, body")]
    texts += [node.attributes.get("content") or "" for node in page.css(META)]
    texts += [node.attributes.get(name) or "" for name in SPOKEN for node in page.css(f"[{name}]")]
    return [found for found in map(unmarked, texts) if found]


def of_letter(letter: EmailMessage) -> list[str]:
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text
    assert html
    found = of_html(html.get_content())
    return found + [each for each in map(unmarked, (letter["Subject"], text.get_content())) if each]


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(**PUBLISHERS, description="Новости", sender="letters@press.example")
        yield service


def send_an_issue(service: WholeService) -> None:
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        entries = [
            an_entry(str(number), title=f"Мост {number}", summary="Река", html=f"<p>{'Мост и река. ' * 300}</p>")
            for number in range(3)
        ]
        store(session, a_feed(session, newsletter, "Город"), *entries, now=service.clock())
        digests.add(
            session, newsletter, name="daily", cron="0 12 * * *", automatic=True, actor="tests", now=service.clock()
        )
    service.clock.advance(days=1)
    service.run(Queue.UPKEEP, Queue.BULK)


def test_every_word_of_pages_and_letters_is_one_of_a_catalogue(service):
    found: dict[str, list[str]] = {}
    browser = service.browser

    def look(what: str, answer, status: int = 200) -> None:
        assert answer.status_code == status, (what, answer.text)
        assert f'lang="{TAG}"' in answer.text, what
        assert OPENING in answer.text, what
        found[what] = of_html(answer.text)

    def read(letter: EmailMessage) -> EmailMessage:
        found[f"letter {letter['Subject']}"] = of_letter(letter)
        return letter

    look("start", browser.get("/"))
    look("form", browser.get("/n/morning"))
    look("empty archive", browser.get("/archive/morning"))
    look("nothing filled in", browser.post("/subscribe", data=service.form() | {"email": "", "consent": ""}), 422)
    for wrong in ("ana", "ana@", "a na@example.org", "ana@example", "a..b@example.org"):
        look(f"address {wrong}", service.sign_up(wrong), 422)
    look("check your inbox", service.sign_up(ANA), 202)
    service.run(Queue.URGENT)
    confirmation = read(service.letters(to=ANA)[-1])
    confirm = service.link(confirmation, "confirm")
    look("confirm", browser.get(confirm))
    look("confirmed", browser.post(confirm, data={"confirm": "yes"}))
    look("confirmed already", browser.get(confirm))
    look("never", browser.get(service.link(service.reader(BEN), "never")))

    send_an_issue(service)
    issue = read(service.letters(to=ANA)[-1])
    for number, link in enumerate(
        sorted(link for link in service.links(issue) if link.startswith(("/archive", "/n/")))
    ):
        look(f"archive {number}", browser.get(link))
    look("archives", browser.get("/archive"))
    preferences = service.link(issue, "preferences")
    look("preferences", browser.get(preferences))
    look("fresh link", browser.post(preferences, data={"link": "yes"}))
    service.run(Queue.URGENT)
    fresh = service.link(read(service.letters(to=ANA)[-1]), "preferences")
    look("newsletters of a reader", browser.get(fresh))
    look("saved", browser.post(fresh, data={"save": "yes", "newsletters": "morning"}))
    look("stopped", browser.post(fresh, data={"save": "yes"}))
    look("withdrawn since", browser.get(confirm), 410)

    goodbye = service.link(service.letters(to=BEN)[-1], "u")
    look("unsubscribe", browser.get(goodbye))
    look("unsubscribed", browser.post(goodbye, data={"unsubscribe": "yes"}))
    never = service.link(service.letters(to=BEN)[0], "never")
    look("never again", browser.post(never, data={"never": "yes"}))
    service.clock.advance(days=4)
    look("expired", browser.get(fresh), 410)
    look("cut off", browser.get(goodbye[:-4]), 404)
    look("nowhere", browser.get("/nowhere", headers={"Accept-Language": TAG}), 404)

    assert len(found) > 25
    assert {what: words for what, words in found.items() if words} == {}
