"""Wordings in numbered versions, and exhibits stored once; neither ever changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.wordings import exhibits, proposed_words, wordings
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.wordings import MAX_CHARACTERS, Shown, Wording
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Begin
from tests.builders import a_newsletter
from tests.clock import NOON

SHOWN = Shown("en", "I agree.", {"language": "en", "entries": [["Purpose", "Letters."]]})
PAGES = {"form": b"<form>", "confirm": b"<p>", "actor": "tests", "now": NOON}


def publish(session: Session, newsletter: Newsletter, **changes: object) -> Wording:
    shown = SHOWN._replace(**{field: changes.pop(field) for field in ("language", "text") if field in changes})
    return wordings.publish(session, newsletter, shown, **{**PAGES, **changes})


def concurrently(begin: Begin, count: int, call: Callable[[Session, int], object]) -> list[object]:
    """Make `count` calls at the same time, each in a transaction of its own."""

    def one(number: int) -> object:
        with begin() as session:
            return call(session, number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_publishing_the_current_wording_again_changes_nothing(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first = publish(session, newsletter)
        for text in ("I agree.", "  I\n\tagree. "):
            assert publish(session, newsletter, text=text, now=NOON + timedelta(days=1)) is first
        assert (first.version, first.published_at) == (2, NOON)


@pytest.mark.parametrize("change", [{"text": "I do agree."}, {"form": b"<form id=new>"}, {"confirm": b"<h1>"}])
def test_a_changed_text_or_page_is_a_new_version(begin, change):
    with begin() as session:
        newsletter = a_newsletter(session)
        first = publish(session, newsletter)
        second = publish(session, newsletter, **change)
        back = publish(session, newsletter)
        assert [first.version, second.version, back.version] == [2, 3, 4]
        assert wordings.current(session, newsletter.id, "en") is back
        assert (first.text, first.form_exhibit) == (back.text, back.form_exhibit)


def test_languages_and_newsletters_count_their_own_versions(begin):
    with begin() as session:
        morning, evening = a_newsletter(session), a_newsletter(session, "evening")
        assert publish(session, morning).version == 2
        assert publish(session, morning, language="de").version == 1
        assert publish(session, evening).version == 2
        assert wordings.current(session, morning.id, "de").language == "de"
        assert wordings.current(session, morning.id, "fr") is None


@pytest.mark.parametrize("text", ["", " \n ", "a" * (MAX_CHARACTERS + 1)])
def test_an_empty_or_overlong_text_is_refused(begin, text):
    with begin() as session:
        newsletter = a_newsletter(session)
        with pytest.raises(Malformed, match="Enter a consent text"):
            publish(session, newsletter, text=text)


def test_the_proposed_text_names_the_publisher_the_purpose_and_how_to_stop(begin):
    with begin() as session:
        text = proposed_words.consent_text([a_newsletter(session, reply_to="office@press.example")], "en")
        for part in ("Example Press", "1 Street, 00000 Town", "The Morning Letter", "stop", "office@press.example"):
            assert part in text


def test_processes_that_start_together_publish_one_version(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
    concurrently(begin, 6, lambda session, _: publish(session, newsletter, text="New words.").version)
    with reading() as session:
        assert session.scalars(select(Wording.version).order_by(Wording.id)).all() == [1, 2]


def test_concurrent_different_texts_get_consecutive_versions(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
    concurrently(begin, 6, lambda session, number: publish(session, newsletter, text=f"Words {number}.").version)
    with reading() as session:
        assert session.scalars(select(Wording.version).order_by(Wording.version)).all() == [1, 2, 3, 4, 5, 6, 7]


def test_an_exhibit_is_stored_once_under_the_hash_of_its_bytes(begin, reading):
    with begin() as session:
        names = {exhibits.keep(session, kind, b"<form>") for kind in ("form", "form", "confirm page")}
        other = exhibits.keep(session, "form", b"<form >")
    concurrently(begin, 6, lambda session, _: exhibits.keep(session, "form", b"shown at once"))
    with reading() as session:
        kept = {exhibit.sha256: exhibit.body for exhibit in session.scalars(select(Exhibit))}
    assert kept == {
        **dict.fromkeys(names, b"<form>"),
        other: b"<form >",
        exhibits.sha256(b"shown at once"): b"shown at once",
    }
    assert all(exhibits.sha256(body) == name for name, body in kept.items())
