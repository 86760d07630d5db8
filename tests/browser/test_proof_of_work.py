"""While limits hold sign-ups up, a browser's proof of work lets the letter leave at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.queues.wakeups import Queue
from tests.browser.chromium import PHONE, SCHEMES, Tab, follow
from tests.browser.held_requests import held
from tests.browser.reachable import reachable_service
from tests.whole_service import WholeService

NEIGHBOR = {"X-Forwarded-For": "198.51.100.1"}  # everybody here shares one address


@pytest.fixture
def crowded(sqlite_template: Path, tmp_path: Path) -> Iterator[WholeService]:
    """A service where one letter an hour may be owed to a client, and two have signed up."""
    with reachable_service(sqlite_template, tmp_path, trusted_proxies="127.0.0.1", confirmations_per_host=1) as service:
        service.newsletter(language="ar")
        service.publish_words("morning", "أرجو إرسال هذه النشرة إلى بريدي الإلكتروني.", "ar")
        for name in ("first", "second"):
            form = service.form() | {"email": f"{name}@example.org"}
            assert service.browser.post("/subscribe", data=form, headers=NEIGHBOR).status_code == 202
        service.run(Queue.URGENT)
        service.let_the_site_read_newsletters_again()
        yield service


def test_the_browser_does_the_arithmetic_while_the_form_is_filled_in_and_the_letter_leaves(
    chromium: Browser, crowded: WholeService
):
    tab = Tab(chromium, crowded.site.settings.base_url, "ar")
    tab.context.set_extra_http_headers(NEIGHBOR)
    tab.open("/n/morning")
    tab.page.locator("altcha-widget label").wait_for()
    problems = [problem for width in (320, PHONE, 1280) for problem in tab.wider_than(width)]
    problems += [problem for scheme in SCHEMES for problem in tab.violations(scheme)]
    tab.page.locator("#email").fill("third@example.org")
    tab.page.locator("#consent").check()
    follow(tab.page.locator("form button").last)
    crowded.run(Queue.URGENT)
    assert [str(letter["To"]) for letter in crowded.letters()] == ["first@example.org", "third@example.org"]
    assert not problems + tab.complaints
    assert not tab.other_hosts
    tab.close()


@pytest.mark.slow
def test_who_fills_the_form_in_before_the_script_is_there_gets_the_letter_at_once_as_well(
    chromium: Browser, crowded: WholeService
):
    tab = Tab(chromium, crowded.site.settings.base_url, "ar")
    tab.context.set_extra_http_headers(NEIGHBOR)
    with held(tab.page, "**/proof*.js") as script:
        tab.page.goto("/n/morning", wait_until="commit")
    tab.page.locator("#consent").check()
    tab.page.locator("#email").fill("third@example.org")
    script.answer()
    tab.page.locator("altcha-widget label").wait_for()
    with tab.page.expect_navigation():
        tab.page.keyboard.press("Enter")
    crowded.run(Queue.URGENT)
    assert [str(letter["To"]) for letter in crowded.letters()] == ["first@example.org", "third@example.org"]
    tab.close()


def test_who_has_no_script_subscribes_as_ever_and_the_letter_waits_for_its_turn(
    chromium: Browser, crowded: WholeService
):
    context = chromium.new_context(
        base_url=crowded.site.settings.base_url, java_script_enabled=False, extra_http_headers=NEIGHBOR
    )
    page = context.new_page()
    page.goto("/n/morning")
    page.locator("#email").fill("third@example.org")
    page.locator("#consent").check()
    with page.expect_navigation() as answered:
        page.locator("form button").last.click()
    assert answered.value.status == 202
    context.close()
    for minutes in (0, 2):
        crowded.clock.advance(minutes=minutes)
        crowded.run(Queue.URGENT)
        assert len(crowded.letters()) == 1
    crowded.clock.advance(minutes=75)
    crowded.run(Queue.URGENT)
    assert len(crowded.letters()) == 2, "one more may leave in the next hour, and the others in those after it"
