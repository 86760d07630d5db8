"""Journeys at the desk in a real browser, with the real site and worker: from nothing to an issue that was sent."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import IssueStatus
from tests.browser.chromium import follow
from tests.browser.desk.conftest import ADDRESS, PASSWORD, READER, SENT_WITHIN, OpenDesk, accept_invitation, hand
from tests.browser.desk.hand import Hand
from tests.waiting import eventually

MOST_FIELDS_AND_CLICKS = 25  # from after signing in to a scheduled digest


def require_codes(person: Hand) -> str:
    """Turn the second factor on; return the secret that the app learns."""
    person.page.goto("/desk/account/second-factor")
    person.fill("Your password", PASSWORD)
    person.press("Go on")
    secret = person.page.locator("code").first.inner_text().replace(" ", "")
    person.fill("The code that the app shows now", pyotp.TOTP(secret).now())
    person.press("Turn it on")
    return secret


def next_code(secret: str) -> str:
    """Return the code after the current one: each counts once, and the next is taken, too, for clocks that differ.

    The one before would be refused if it is typed slowly.
    """
    return pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))


def set_up(person: Hand, desk: OpenDesk, *, scripts: bool) -> None:
    """Go through the first steps up to a scheduled digest."""
    follow(person.page.locator("main a.button").first)
    person.touched += 1
    person.fill("Name", "Morning Letter")
    person.fill("Publisher", "Example Press")
    person.fill("Address that letters come from", "letters@press.example")
    person.fill("Postal address", "1 Street, 00000 Town")
    follow(person.page.locator("main form button").first)
    person.touched += 1
    person.fill("Address of the feed", desk.feed)
    person.press("Look at this address")
    person.wait_for("2 articles would come", look_again=None if scripts else lambda: person.press("Look again"))
    person.press("Add this feed")
    person.press("Make the digest")
    with desk.site.database.reading() as session:
        assert session.scalars(select(Digest.active)).all() == [True]


def test_first_start_to_an_issue_that_was_sent_in_few_fields_and_clicks(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk) as person:
        accept_invitation(person, desk)
        person.touched = 0
        set_up(person, desk, scripts=True)
        assert person.touched <= MOST_FIELDS_AND_CLICKS
        person.press("Draft it and send me a test letter")
        (test_letter,) = eventually(lambda: desk.letters(ADDRESS), within=SENT_WITHIN)
        assert test_letter["Subject"].startswith("[Test]")
        desk.subscribe()
        person.press("Read and approve")
        person.press("Approve issue 1")
        letters = eventually(lambda: desk.letters(READER)[1:], within=SENT_WITHIN)
        assert "Test" not in letters[0]["Subject"]
        eventually(lambda: desk.status() is IssueStatus.SENT, within=SENT_WITHIN)
        person.page.reload()
        assert "1" in person.page.locator("main").inner_text()


@pytest.mark.slow
def test_first_start_to_an_approved_issue_without_scripts(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk, scripts=False) as person:
        accept_invitation(person, desk)
        set_up(person, desk, scripts=False)
        person.press("Draft it and send me a test letter")
        person.press("Read and approve")
        person.press("Approve issue 1")
    assert desk.status() in (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.SENT)


@pytest.mark.slow
def test_the_keyboard_alone_signs_in_with_a_code_and_approves(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk) as person:
        accept_invitation(person, desk)
        set_up(person, desk, scripts=True)
        person.press("Draft it and send me a test letter")
        secret = require_codes(person)
        person.press("Sign out")
        person.has_mouse = False
        person.page.goto("/desk/sign-in")
        person.fill("E-mail address", ADDRESS)
        person.fill("Password", PASSWORD)
        person.press("Sign in")
        person.fill("Code", next_code(secret))
        person.press("Go on")
        person.press("Read and approve")
        person.press("Approve issue 1")
    assert desk.status() in (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.SENT)
