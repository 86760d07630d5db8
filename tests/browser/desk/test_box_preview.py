"""The preview of the sign-up box at the desk: the real box, in each look, from which nothing is sent."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.desk.contents import DeskState
from tests.browser.desk.walk import walking


def test_each_look_is_tried_in_its_frame_and_nobody_is_signed_up(
    chromium: Browser, sqlite_template: Path, tmp_path: Path
):
    with walking(chromium, sqlite_template, tmp_path, DeskState.USUAL) as walk:
        tab, rows = walk.operator, walk.service.rows()["signups"]
        tab.open("/desk/newsletters/paper/box")
        tab.page.locator(".views").scroll_into_view_if_needed()  # frames load when they come near the window
        inline = tab.page.frame_locator("iframe[title='The box: in the text']")
        inline.get_by_role("button", name="Subscribe").click()
        expect(inline.get_by_text("Nothing was sent, and nobody was signed up.")).to_be_visible()
        tab.page.locator(".views").get_by_label("Bar at the foot").check()
        bar = tab.page.frame_locator("iframe[title='The box: bar at the foot']")
        bar.get_by_role("button", name="Subscribe").press("Enter")  # it may be below the window
        expect(bar.locator("input[type=email]")).to_be_visible()
        tab.page.locator(".views").get_by_label("Dialog").check()
        dialog = tab.page.frame_locator("iframe[title='The box: dialog']")
        dialog.get_by_role("button", name="Open the dialog").click()
        expect(dialog.get_by_role("dialog")).to_be_visible()
        assert tab.complaints == []
        assert walk.service.rows()["signups"] == rows
