"""A form pasted into a static site, without scripts: its visitors sign up, and come back to the site."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from newsletter import newsletters, registered_sites
from newsletter.consent.signups.signups import Signup
from newsletter.queues.wakeups import Queue
from tests.browser.chromium import follow
from tests.browser.reachable import reachable_service
from tests.local_http import LocalHttp, local_http
from tests.whole_service import WholeService

ALMOST, WELCOME = "Almost done.", "You read us from now on."


@pytest.fixture(scope="module")
def publisher() -> Iterator[LocalHttp]:
    """The publisher's own site."""
    with local_http() as site:
        for path, heading in (("/almost-done", ALMOST), ("/welcome", WELCOME)):
            site.put(path, f"<h1>{heading}</h1>".encode(), headers={"Content-Type": "text/html"})
        yield site


@pytest.fixture(scope="module")
def service(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeService]:
    with reachable_service(sqlite_template, tmp_path_factory.mktemp("site")) as service:
        service.newsletter()
        yield service


@pytest.fixture
def page(chromium: Browser, service: WholeService) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False, base_url=service.site.settings.base_url)
    yield context.new_page()
    context.close()


def paste(service: WholeService, publisher: LocalHttp) -> str:
    """Paste the form into a page of the publisher's site; return the page's address."""
    _, form = service.paste_form()
    head = "<!doctype html><html lang='en'><meta charset='utf-8'><title>News</title>"
    publisher.put("/", (head + form).encode(), headers={"Content-Type": "text/html; charset=utf-8"})
    return publisher.url("/", host="www.localhost")


def change(service: WholeService, publisher: LocalHttp, **paths: str) -> None:
    with service.site.database.writing() as session:
        newsletter, by = newsletters.named(session, "morning"), {"actor": "tests", "now": service.clock()}
        registered_sites.register(session, newsletter, publisher.url("/", host="www.localhost"), **by)
        pages = {field: path and publisher.url(path, host="www.localhost") for field, path in paths.items()}
        newsletters.change(session, newsletter, **pages, **by)
    service.let_the_site_read_newsletters_again()


def submit(page: Page, email: str) -> str:
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=consent]").check()
    follow(page.locator("button").first)
    return page.locator("h1").inner_text()


def test_visitors_of_a_static_site_sign_up_and_come_back_to_it(service, publisher, page):
    static = paste(service, publisher)
    page.goto(static)
    assert submit(page, "ana@example.org") == "This form does not work on the site where you found it"
    follow(page.get_by_text("Go to the sign-up page"))
    assert page.url.endswith("/n/morning")
    change(service, publisher)
    page.goto(static)
    assert submit(page, "ana@example.org") == "Check your inbox"
    follow(page.get_by_text("Back to www.localhost"))
    assert page.url == static


def test_browsers_follow_the_forms_of_each_page_to_the_publishers_own_pages(service, publisher, page):
    """Chromium would hold the redirects to form-action, and show nothing."""
    static = paste(service, publisher)
    change(service, publisher, signup_thanks_url="/almost-done", confirmed_thanks_url="/welcome")
    for number, start in enumerate((static, "/n/morning", "/archive/morning")):
        page.goto(start)
        assert submit(page, f"{number}@example.org") == ALMOST, start
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        posted_from = session.scalars(select(Signup.evidence).order_by(Signup.id.desc()).limit(3)).all()
    assert [each["site"] for each in posted_from] == ["our own", "our own", static.rstrip("/")]
    (letter,) = service.letters(to="1@example.org")
    page.goto(service.link(letter, "confirm"))
    follow(page.locator("button[name=confirm]"))
    assert page.locator("h1").inner_text() == WELCOME
    referers = [headers["referer"] for _, headers in publisher.requests if "referer" in headers]
    assert not [each for each in referers if "confirm" in each], "the link's token stays with us"
