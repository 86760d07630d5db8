"""A visitor presses what opens a dialog before its form has arrived, or where it cannot arrive."""

import pytest
from playwright.sync_api import expect

from tests.browser.embed.conftest import HostPage, Publisher
from tests.browser.embed.test_box import BOX, STRICT
from tests.browser.held_requests import HeldRequests, held

DIALOG = BOX.replace(" newsletter=", " look=dialog opener=#join newsletter=")
BUTTON = "<button id=join>Letters</button><input id=comment>"
FORM = "**/n/*/form**"
# A component of the page's own, in whose shadow root the box stands.
COMPONENT = f"""<page-foot></page-foot><script>
    document.querySelector("page-foot").attachShadow({{mode: "open"}}).innerHTML = '{DIALOG}';
</script>"""


def slow_form(publisher: Publisher, body: str) -> tuple[HostPage, HeldRequests]:
    """Open a page whose box asks for its form, and waits."""
    shown = publisher.open(body)
    with held(shown.page, FORM) as form:
        shown.page.add_script_tag(url=f"{publisher.base_url}/embed.js")
    return shown, form


@pytest.mark.parametrize("box", [DIALOG, COMPONENT], ids=["in the page", "in a component"])
def test_a_button_pressed_before_the_form_is_there_opens_the_dialog_once_it_is(publisher: Publisher, box: str):
    shown, form = slow_form(publisher, BUTTON + box)
    opener, dialog = shown.page.locator("#join"), shown.box().get_by_role("dialog")
    opener.dblclick()
    form.answer()
    expect(dialog.locator("[name=email]")).to_be_focused()
    shown.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    expect(dialog).to_be_visible()


def test_a_button_pressed_before_the_page_adds_its_box_opens_the_dialog(publisher: Publisher):
    shown = publisher.open(f"{BUTTON}<template>{DIALOG}</template>")
    shown.page.add_script_tag(url=f"{publisher.base_url}/embed.js")
    shown.page.locator("#join").click()
    shown.page.evaluate("() => document.body.append(document.querySelector('template').content)")
    expect(shown.box().get_by_role("dialog")).to_be_visible()


def test_a_link_pressed_before_the_form_is_there_leads_to_its_page(publisher: Publisher):
    link = f'<a id=join href="{publisher.base_url}/n/morning"><b>Letters</b></a>'
    shown, _ = slow_form(publisher, link + DIALOG)
    shown.page.locator("#join b").click()
    shown.page.wait_for_url(f"{publisher.base_url}/n/morning")


def test_no_dialog_comes_between_a_visitor_and_what_they_did_after_the_press(publisher: Publisher):
    other = DIALOG.replace("#join", "#other").replace("morning", "evening")
    shown, form = slow_form(publisher, f"{BUTTON}<button id=other>Other letters</button>{DIALOG}{other}")
    page = shown.page
    page.locator("#join").click()
    page.locator("#comment").press_sequentially("Letters?")
    form.answer()
    for number in (0, 1):
        expect(shown.box(number).locator("dialog")).to_be_attached()
    expect(page.locator("#comment")).to_be_focused()
    page.locator("#other").click()
    expect(shown.box(1).get_by_role("dialog")).to_be_visible()
    expect(shown.box(0).get_by_role("dialog")).to_be_hidden()


def test_a_box_that_was_taken_away_opens_nothing_and_one_that_comes_back_does(publisher: Publisher):
    shown, form = slow_form(publisher, f"{BUTTON}<button id=other>Other letters</button>{DIALOG}")
    page, box = shown.page, shown.box().element_handle()
    page.locator("#join").click()
    page.evaluate("box => box.remove()", box)
    form.answer()
    page.locator("#join").click()
    page.evaluate("box => { document.body.append(box); box.setAttribute('opener', '#other'); }", box)
    expect(shown.box().locator("dialog")).to_be_attached()
    page.locator("#other").click()
    expect(shown.box().get_by_role("dialog")).to_be_visible()
    assert shown.warnings == []


def test_where_the_service_answers_without_a_form_a_button_leads_to_the_hosted_page(publisher: Publisher):
    unregistered = publisher.open(BUTTON + DIALOG, head=publisher.script, host="localhost")
    policy = STRICT.format(service=publisher.base_url).replace("types newsletter-signup", "types other")
    forbidden = publisher.open(BUTTON + DIALOG, head=publisher.script, policy=policy)
    for shown, page in ((unregistered, "/n/morning"), (forbidden, "/n/morning?language=en")):
        if not shown.warnings:
            shown.page.wait_for_event("console")
        shown.page.locator("#join").click()
        shown.page.wait_for_url(publisher.base_url + page)


def test_a_button_asks_again_for_a_form_that_could_not_be_fetched(publisher: Publisher):
    shown, form = slow_form(publisher, BUTTON + DIALOG)
    opener, page = shown.page.locator("#join"), shown.page
    opener.click()
    with page.expect_event("console", lambda message: "does not answer" in message.text):
        form.fail()
    assert page.url.endswith("/2026/bridge?from=mail#top")
    form.answer()
    opener.click()
    expect(shown.box().get_by_role("dialog")).to_be_visible()
