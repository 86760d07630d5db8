"""What a person does at the desk, each field and click counted: with the mouse, or with the keyboard alone."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.browser.keyboard import reach


@dataclass
class Hand:
    """Uses a page by the words that a person reads on it."""

    page: Page
    has_mouse: bool = True
    touched: int = 0  # fields and clicks

    def fill(self, label: str, text: str) -> None:
        """Fill in the field with this label."""
        field = self.page.get_by_label(label, exact=True)
        self.touched += 1
        if self.has_mouse:
            field.fill(text)
        else:
            reach(self.page, field)
            self.page.keyboard.press("Control+A")
            self.page.keyboard.type(text)

    def press(self, name: str) -> None:
        """Press the button or follow the link of this name, and wait for the page that follows."""
        control = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first
        self.touched += 1
        expect(control).to_be_visible()
        if not self.has_mouse:
            reach(self.page, control)  # before the time runs in which the page must follow
        with self.page.expect_navigation():
            if self.has_mouse:
                control.click()
            else:
                self.page.keyboard.press("Enter")

    def sees(self, text: str) -> bool:
        """Whether the page's headline holds this text."""
        return text in self.headline()

    def headline(self) -> str:
        """Return the page's headline."""
        return str(self.page.locator("h1").inner_text())

    def wait_for(self, text: str, *, look_again: Callable[[], object] | None = None) -> None:
        """Wait until the headline holds the text; without scripts somebody has to look again."""
        if look_again is None:
            expect(self.page.locator("h1")).to_contain_text(text)
            return
        for _ in range(100):
            if self.sees(text):
                return
            self.page.wait_for_timeout(200)  # as a person waits before looking again
            look_again()
        raise AssertionError(f"“{self.headline()}” never became “{text}”")
