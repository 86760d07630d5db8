"""Pages of a publisher, in files beside this module, and one visit of such a page with the settings of a visitor."""

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, expect

from newsletter.languages.tags import direction
from tests.browser.chromium import AXE, AXE_SCRIPT, HEIGHT, LARGE_TEXT, PARTED, WIDER
from tests.browser.embed.conftest import HostPage, Publisher
from tests.browser.keyboard import reach

FOLDER = Path(__file__).parent / "host_pages"
SETTINGS = {
    "page": ("news", "strict", "application", "two", "arabic", "plain"),
    "script": ("on", "off"),
    "look": ("inline", "bar", "dialog"),
    "width": ("320", "360", "1280"),
    "text": ("100 %", "200 %"),
    "scheme": ("light", "dark"),
    "forced_colors": ("none", "active"),
    "reduced_motion": ("no-preference", "reduce"),
    "hand": ("mouse", "keyboard"),
    "language": ("en", "de", "ar"),
}
POLICY = (
    "default-src 'none'; script-src 'nonce-n'; style-src 'nonce-n'; connect-src {service}; form-action 'none'; "
    "img-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types newsletter-signup"
)
ANSWER_422 = "Failed to load resource: the server responded with a status of 422"  # what Chromium says of errors
NEXT_ADDRESS = "/2026/buses"  # to which the application goes


def document(publisher: Publisher, page: str, *, language: str, look: str = "inline") -> str:
    """Return a host page. The Arabic page stays Arabic, and its box alone is in the language."""
    attributes = f'look="{look}"' + (' opener="#join"' if look == "dialog" else "")
    if page == "arabic":
        attributes += f' language="{language}"'
    return Template((FOLDER / f"{page}.html").read_text()).substitute(
        html=f'lang="{language}" dir="{direction(language)}"',
        style=(FOLDER / "loud.css").read_text(),
        service=publisher.base_url,
        attributes=attributes,
        next=NEXT_ADDRESS,
        pasted=pasted_form(publisher, language) if page == "plain" else "",
    )


def pasted_form(publisher: Publisher, language: str) -> str:
    """Return the form that an operator pastes into a page."""
    service = publisher.service
    _, html = service.paste_form(language=language, base_url=publisher.base_url)
    service.let_the_site_read_newsletters_again()
    return html


@dataclass
class Visit:
    """A visitor with settings of their own opens a host page."""

    publisher: Publisher
    settings: dict[str, str]
    shown: HostPage

    @property
    def has_script(self) -> bool:
        return self.settings["script"] == "on"

    @property
    def has_box(self) -> bool:
        return self.has_script and self.settings["page"] != "plain"

    def control(self, selector: str) -> Locator:
        """Return a control of the form that the visitor fills in: in the box, or in the page itself."""
        place: Any = self.shown.box() if self.shown.page.locator("newsletter-signup").count() else self.shown.page
        return place.locator(selector)  # type: ignore[no-any-return]

    def see(self, control: Locator) -> None:
        """Fail unless the control can be seen: at once where no script could show it later.

        Firefox has no frames of an animation without scripts, and Playwright waits for one between two looks.
        """
        if self.has_script:
            expect(control).to_be_visible()
        else:
            assert control.is_visible()

    def approach(self, control: Locator) -> None:
        """Bring the focus to a control if the visitor has no mouse. That takes many keys, and time."""
        if self.settings["hand"] == "keyboard":
            self.see(control)
            reach(self.shown.page, control)

    def press(self, control: Locator, key: str = "Enter") -> None:
        """Press a button, a link or a tick box with the visitor's hand."""
        if self.settings["hand"] == "mouse":
            control.click()
            return
        self.approach(control)
        self.shown.page.keyboard.press(key)

    def enter(self, field: Locator, text: str) -> None:
        """Enter a text in the place of what a field holds."""
        if self.settings["hand"] == "mouse":
            field.fill(text)
            return
        self.approach(field)
        self.shown.page.keyboard.press("Control+A")
        self.shown.page.keyboard.type(text)

    def enlarge_text(self) -> None:
        """Set the text to the visitor's size."""
        if self.settings["text"] == "200 %":
            self.shown.page.evaluate(LARGE_TEXT)

    def problems(self, state: str) -> list[str]:
        """Return what is wrong with the page in this state: what does not fit or is parted, and what axe-core finds."""
        page = self.shown.page
        found = [*page.evaluate(WIDER), *page.evaluate(PARTED)]
        if self.has_script:
            if not page.evaluate("() => 'axe' in window"):
                page.evaluate(AXE_SCRIPT)
            # Forced colors are the visitor's own: axe-core would judge those that the page wanted.
            without = ["color-contrast"] if self.settings["forced_colors"] == "active" else []
            found += page.evaluate(AXE, without)
        return [f"{state}: {problem}" for problem in found]

    def only_expected_requests(self) -> None:
        """Fail if the console says something, or if a third host was asked."""
        assert [said for said in self.shown.warnings if ANSWER_422 not in said] == []
        publisher = self.publisher
        assert self.shown.hosts <= {urlsplit(url).netloc for url in (publisher.base_url, publisher.web.url("/"))}


def visit(publisher: Publisher, settings: dict[str, str]) -> Visit:
    """Open the host page."""
    html = document(publisher, settings["page"], language=settings["language"], look=settings["look"])
    shown = publisher.show(
        html,
        policy=POLICY.format(service=publisher.base_url) if settings["page"] == "strict" else "",
        viewport={"width": int(settings["width"]), "height": HEIGHT},
        java_script_enabled=settings["script"] == "on",
        color_scheme=settings["scheme"],
        forced_colors=settings["forced_colors"],
        reduced_motion=settings["reduced_motion"],
        locale=settings["language"],
    )
    return Visit(publisher, settings, shown)
