"""The ways from a host page to a sign-up: six pages, with the settings of ten kinds of visitors combined pairwise."""

import pytest
from playwright.sync_api import expect

from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import NEXT_ADDRESS, SETTINGS, Visit, visit
from tests.browser.pairwise import pairwise, with_every_value

ROWS = pairwise(SETTINGS)
# Every value of every setting meets a script, and one visitor has none.
IN_EVERY_CHECK = [
    *with_every_value([row for row in ROWS if row["script"] == "on"]),
    next(row for row in ROWS if row["script"] == "off" and row["page"] != "plain"),
]


def rows(chosen: list[dict[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", chosen, ids=[" ".join(row.values()) for row in chosen])


@rows(IN_EVERY_CHECK)
def test_visitors_sign_up_on_every_host_page(publisher: Publisher, settings: dict[str, str]):
    check(publisher, settings)


@pytest.mark.slow
@rows([row for row in ROWS if row not in IN_EVERY_CHECK])
def test_visitors_sign_up_whatever_two_settings_meet(publisher: Publisher, settings: dict[str, str]):
    check(publisher, settings)


def check(publisher: Publisher, settings: dict[str, str]) -> None:
    email = f"visitor{ROWS.index(settings)}@example.org"
    opened = visit(publisher, settings)
    found = problems_until_signed_up(opened, email)
    assert not found, "\n".join(found)
    opened.only_expected_requests()
    (signup,) = publisher.signups(email)
    assert signup.language == settings["language"]
    if opened.has_box:
        page = NEXT_ADDRESS if settings["page"] == "application" else "/2026/bridge"
        assert signup.evidence["page"] == publisher.web.url(page)


def problems_until_signed_up(opened: Visit, email: str) -> list[str]:
    """Sign up on the way that the page offers; return what was wrong with it."""
    return in_the_box(opened, email) if opened.has_box else without_script(opened, email)


def in_the_box(opened: Visit, email: str) -> list[str]:
    """Use the box as its look wants it; return what was wrong with the page on the way."""
    field, consent, button = map(opened.control, ("[name=email]", "[name=consent]", ".exhibit button"))
    if opened.settings["page"] == "application":
        expect(field).to_be_attached()
        opened.press(opened.shown.page.locator("#later"))
        expect(opened.shown.page.get_by_role("heading", name="Night buses")).to_be_visible()
    expect(field).to_be_attached()
    opened.enlarge_text()
    if opened.settings["look"] == "dialog":
        opened.press(opened.shown.page.locator("#join"))
    elif opened.settings["look"] == "bar":
        opened.press(opened.control(".strip button"))
    expect(field).to_be_visible()
    found = opened.problems("the form")
    opened.press(button)
    expect(opened.control("[role=alert]").first).to_be_visible()
    found += opened.problems("errors")
    opened.enter(field, email)
    opened.press(consent, "Space")
    opened.press(button)
    expect(opened.control("[role=status]")).to_be_focused()
    return found + opened.problems("sent")


def without_script(opened: Visit, email: str) -> list[str]:
    """Use the pasted form, or the link that stands in the place of the box and leads to our own page."""
    page = opened.shown.page
    opened.enlarge_text()
    found = opened.problems("the page")
    if opened.settings["page"] != "plain":
        opened.press(page.locator("newsletter-signup a").first)
        page.wait_for_url("**/n/morning**")
        opened.enlarge_text()
        found += opened.problems("our page")
    form = page.locator("form[action$='/subscribe']")
    opened.enter(form.locator("[name=email]"), email)
    opened.press(form.locator("[name=consent]"), "Space")
    opened.press(form.locator("button").first)
    page.wait_for_url("**/subscribe")
    opened.enlarge_text()
    return found + opened.problems("look into your inbox")
