"""What a person does who uses the keyboard alone."""

from playwright.sync_api import Locator, Page

MOST_TABS = 150  # presses of the key until a control must have been reached


def reach(page: Page, control: Locator) -> None:
    """Press the tabulator key until the control has the focus, also inside of a shadow root."""
    for _ in range(MOST_TABS):
        if control.evaluate("element => element === element.getRootNode().activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {control}")
