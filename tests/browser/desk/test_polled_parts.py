"""Parts of the desk's pages that ask for themselves again take no press away from the operator."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.desk.contents import DeskState
from tests.browser.desk.walk import walking

POLL_MS = 5_000


@pytest.mark.slow
def test_a_button_that_is_pressed_while_the_page_is_told_news_works(
    chromium: Browser, sqlite_template: Path, tmp_path: Path
):
    with walking(chromium, sqlite_template, tmp_path, DeskState.USUAL) as walk:
        page = walk.operator.page
        page.clock.install()
        walk.operator.open("/desk")
        part = page.locator("#leaving")
        link, address = part.get_by_role("link", name="Watch it leave").first, page.url
        for is_pressed in (True, False):
            part.evaluate("part => { part.ariaLabel = 'as it was'; }")
            link.hover()
            if is_pressed:
                page.keyboard.press("Shift")  # a press just before, whose release does not end this one
                page.mouse.down()
            with page.expect_response(address) as news:
                page.clock.run_for(POLL_MS)
            news.value.finished()
            if is_pressed:
                expect(part).to_have_attribute("aria-label", "as it was")
                with page.expect_navigation():
                    page.mouse.up()
                assert "/desk/issues/" in page.url
                walk.operator.open("/desk")
            else:
                expect(part).not_to_have_attribute("aria-label", "as it was")
