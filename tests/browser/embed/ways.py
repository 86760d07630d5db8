"""The ways of a visitor, in whichever browser: to a sign-up, and as a reader to leaving and back."""

from playwright.sync_api import expect

from newsletter import newsletters
from newsletter.consent.signups.signups import Signup
from tests.browser.embed.host_pages import Visit
from tests.browser.journey import Journey


def go_to_the_sign_up(opened: Visit, email: str) -> Signup:
    """Sign up on the way that the page offers, on which nothing may be wrong; return the one sign-up."""
    found = _sign_up(opened, email)
    assert not found, "\n".join(found)
    opened.only_expected_requests()
    (signup,) = opened.publisher.signups(email)
    assert signup.language == opened.settings["language"]
    return signup


def go_the_whole_way(opened: Visit, email: str) -> None:
    """Sign up, confirm, change everything, leave and come back; nothing may be wrong on any page."""
    found = _sign_up(opened, email)
    with opened.publisher.service.site.database.reading() as session:
        newsletter = newsletters.named(session, "morning")
    for stop in Journey(opened, newsletter, email).stops():
        found += opened.problems(stop)
        if opened.shown.page.locator("html").get_attribute("lang") != opened.settings["language"]:
            found.append(f"{stop}: the page is not in {opened.settings['language']}")
    assert not found, "\n".join(found)
    opened.only_expected_requests()


def _sign_up(opened: Visit, email: str) -> list[str]:
    """Sign up on the way that the page offers; return what was wrong with it."""
    return _in_the_box(opened, email) if opened.has_box else _without_script(opened, email)


def _in_the_box(opened: Visit, email: str) -> list[str]:
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


def _without_script(opened: Visit, email: str) -> list[str]:
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
