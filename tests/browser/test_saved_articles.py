"""Articles that a reader saves: in this browser only, in every tab, and never more than it can keep."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Tab
from tests.whole_service import WholeService

ISSUE, SAVED = "/archive/paper/1", "/saved"
KEY = "saved-articles"
WITHOUT_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused') }})"
FULL = "Storage.prototype.setItem = () => { throw new Error('full') }"


@pytest.fixture
def tab(chromium: Browser, town: WholeService) -> Iterator[Tab]:
    with opened(chromium, town) as tab:
        yield tab


@contextmanager
def opened(chromium: Browser, town: WholeService) -> Iterator[Tab]:
    tab = Tab(chromium, town.site.settings.base_url, "en")
    yield tab
    assert tab.complaints == []
    assert tab.other_hosts == set()
    tab.close()


def titles(tab: Tab) -> list[str]:
    return tab.page.locator("main li h2").all_inner_texts()


def test_articles_are_saved_listed_exported_and_removed_also_from_another_tab(tab: Tab):
    page = tab.page
    tab.open(SAVED)
    assert page.locator("h1").inner_text() == "You have not yet saved an article"
    tab.open(ISSUE)
    buttons = page.get_by_role("button", name="Save for later")
    assert buttons.count() == 3
    listed = tab.context.new_page()
    listed.goto(f"{tab.base_url}{SAVED}")
    for number in (0, 1):
        buttons.nth(number).press("Enter")
    assert page.locator("[aria-pressed=true]").count() == 2
    mark = buttons.first.evaluate("button => getComputedStyle(button, '::before').content")
    assert mark.startswith('"✓"'), "the button looks pressed also where colors are forced"
    listed.get_by_role("button", name="Remove The bends of a river travel").click()
    page.locator("[aria-pressed=true]").nth(1).wait_for(state="detached")
    assert buttons.first.get_attribute("aria-pressed") == "false"
    tab.open(SAVED)
    assert titles(tab) == ["Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"]
    with page.expect_download() as bookmarks:
        page.get_by_role("button", name="Download as bookmarks").click()
    exported = bookmarks.value.path().read_text("utf-8")
    assert bookmarks.value.suggested_filename == "saved-articles.html"
    assert ">Llanfairpwll" in exported
    page.get_by_role("button", name="Remove all").click()
    page.get_by_role("button", name="Keep them").click()
    assert len(titles(tab)) == 1
    page.get_by_role("button", name="Remove all").click()
    page.locator("dialog").get_by_role("button", name="Remove all").click()
    assert page.locator("h1").inner_text() == "You have not yet saved an article"
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_without_storage_no_button_is_there_and_the_page_says_why(tab: Tab):
    tab.page.add_init_script(WITHOUT_STORAGE)
    tab.open(ISSUE)
    assert tab.page.locator("[aria-pressed]").count() == 0
    tab.open(SAVED)
    assert tab.page.locator("h1").inner_text() == "Your browser keeps no articles for this page"


def test_without_script_no_button_is_there_and_the_page_says_why(chromium: Browser, town: WholeService):
    context = chromium.new_context(base_url=town.site.settings.base_url, java_script_enabled=False)
    page = context.new_page()
    page.goto(ISSUE)
    assert page.get_by_text("Save for later").count() == 0
    page.goto(SAVED)
    assert page.locator("h1").inner_text() == "Your browser keeps no articles for this page"
    context.close()


def test_full_storage_is_told_and_nothing_is_lost(tab: Tab):
    tab.open(ISSUE)
    tab.page.get_by_role("button", name="Save for later").first.click()
    tab.page.add_init_script(FULL)
    tab.open(ISSUE)
    tab.page.get_by_role("button", name="Save for later").nth(1).click()
    assert "no room" in tab.page.get_by_role("alert").nth(1).inner_text()
    assert tab.page.locator("[aria-pressed=true]").count() == 1
    tab.open(SAVED)
    assert titles(tab) == ["The bends of a river travel"]


def test_what_others_have_stored_is_shown_as_text_and_only_with_addresses_of_web_pages(tab: Tab):
    tab.open(SAVED)
    stored = [
        {"url": "javascript:alert(1)", "title": "bad"},
        {"url": "https://town.example/a", "title": "<img src=x onerror=alert(1)>", "at": "1e99"},
        {"url": "data:text/html,x"},
        {"url": 7},
        {"url": ["https://town.example/b"], "title": "a list"},
        None,
        "x",
    ]
    tab.page.evaluate("([key, stored]) => localStorage.setItem(key, JSON.stringify(stored))", [KEY, stored])
    tab.open(SAVED)
    assert titles(tab) == ["<img src=x onerror=alert(1)>", "a list"]
    with tab.page.expect_download() as bookmarks:
        tab.page.get_by_role("button", name="Download as bookmarks").click()
    assert 'HREF="https://town.example/b"' in bookmarks.value.path().read_text("utf-8")
    tab.page.get_by_role("button", name="Remove a list").click()
    assert titles(tab) == ["<img src=x onerror=alert(1)>"]
    for broken in ("{", "7", "null", '{"url": 1}'):
        tab.page.evaluate("([key, stored]) => localStorage.setItem(key, stored)", [KEY, broken])
        tab.open(SAVED)
        assert tab.page.locator("h1").inner_text() == "You have not yet saved an article"
    many = [{"url": f"https://town.example/{number}", "title": "x"} for number in range(500)]
    tab.page.evaluate("([key, stored]) => localStorage.setItem(key, JSON.stringify(stored))", [KEY, many])
    tab.open(ISSUE)
    tab.page.get_by_role("button", name="Save for later").first.click()
    assert "no room" in tab.page.get_by_role("alert").first.inner_text()
