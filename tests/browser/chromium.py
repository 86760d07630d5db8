"""Debian's Chromium, driven by Playwright, and what a test wants to know about a page that it shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from tests.servers.missing_servers import missing
from tests.servers.server import find_program

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")  # the first one that is installed is used
HEIGHT = 900
PHONE = 360
TIMEOUT = 60_000  # milliseconds until what a person waits for must be there, on a machine that is busy with other tests
expect.set_options(timeout=TIMEOUT)

# Rules about whole pages: a letter is a fragment of a mail program's page.
PAGE_RULES = ("landmark-one-main", "region")

AXE = """without => axe.run(document, {
    resultTypes: ["violations"],
    rules: Object.fromEntries(without.map(rule => [rule, {enabled: false}])),
}).then(results => results.violations.flatMap(violation => violation.nodes.map(
    node => `${violation.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))"""

# Which elements reach beyond the window; nothing if the page does not scroll sideways.
WIDER = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
    [`${document.documentElement.scrollWidth} px of ${window.innerWidth} px`,
     ...[...document.body.querySelectorAll("*")].filter(element => {
        const box = element.getBoundingClientRect();
        return box.right > window.innerWidth + 0.5 || box.left < -0.5;
     }).slice(0, 5).map(element => element.outerHTML.slice(0, 120))]"""

# Which elements hold an address that the browser may part with a hyphen, so that it reads as another one.
PARTED = r"""() => [...document.querySelectorAll("body *")].filter(
    element => getComputedStyle(element).hyphens === "auto" && [...element.childNodes].some(
        node => node.nodeType === Node.TEXT_NODE && /\S@\S|https?:/.test(node.data))
).map(element => `an address gets a hyphen: ${element.outerHTML.slice(0, 120)}`)"""

# As a browser does for a visitor who sets the text's size, and not the page's: each size, whatever its unit.
# Without style attributes: htmx copies them to what it puts in the place of an element, against the page's policy.
LARGE_TEXT = """() => {
    const within = root => [[root, [...root.querySelectorAll("*")]],
        ...[...root.querySelectorAll("*")].flatMap(element => element.shadowRoot ? within(element.shadowRoot) : [])];
    const found = within(document).map(([root, elements]) =>
        [root, elements.map(element => [element, `${2 * parseFloat(getComputedStyle(element).fontSize)}px`])]);
    for (const [root, sizes] of found) {
        const sheet = new CSSStyleSheet();
        for (const size of new Set(sizes.map(([, size]) => size)))
            sheet.insertRule(`[data-large="${size}"]:not(#x#x#x#x) { font-size: ${size} !important }`);
        root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
        for (const [element, size] of sizes) element.dataset.large = size;
    }
}"""


# Bytes of the page and of all that it loads but pictures, as they came over the network or once did, from the cache.
WEIGHT = """() => performance.getEntries().filter(entry => "encodedBodySize" in entry && entry.initiatorType !== "img")
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium during the block; skip the test where none is installed."""
    program = next(filter(None, map(find_program, PROGRAMS)), None)
    if program is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's, a container has little shared memory, and emulating a GPU takes time.
        words = ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=str(program), args=words)
        yield browser
        browser.close()


def follow(control: Locator) -> None:
    """Click on a button or a link, and wait until the page that follows has loaded.

    A bare click only waits for the answer's first bytes, and the document is empty then.
    """
    with control.page.expect_navigation():
        control.click()


class Tab:
    """A tab of a browser that prefers one language, with what it asked for and complained about."""

    def __init__(self, browser: Browser, base_url: str, language: str) -> None:
        self.base_url = base_url
        self.context = browser.new_context(base_url=base_url, locale=language, viewport=_size(PHONE))
        self.context.set_default_timeout(TIMEOUT)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self._hosts: set[str] = set()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium reports the answers 404 and 422 as errors, also when a page was expected to be one.
        is_the_page = message.location.get("url") == self.page.url and message.text.startswith(
            "Failed to load resource"
        )
        if not is_the_page:
            self.complaints.append(f"{message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        self._hosts.add(urlsplit(request.url).netloc)

    @property
    def other_hosts(self) -> set[str]:
        """The hosts, apart from the site's own, that something was requested from."""
        return self._hosts - {urlsplit(self.base_url).netloc}

    def open(self, path: str) -> None:
        """Show a page of the site."""
        self.page.goto(path)

    def show(self, html: str) -> None:
        """Show a document that no site serves."""
        self.page.set_content(html)

    def show_as_page(self, html: str) -> None:
        """Show a document as if the site served it, with the site's stylesheets."""
        path = f"{self.base_url}/example"
        self.page.route(path, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        self.page.goto(path)
        self.page.unroute(path)

    def block_requests(self) -> None:
        """Answer every request with nothing: pictures of examples exist nowhere."""
        self.context.route("**/*", lambda route: route.fulfill(status=204))

    def press(self, name: str) -> None:
        """Press the button with this name attribute, and wait for the page that follows."""
        follow(self.page.locator(f"button[name={name}]"))

    def violations(self, scheme: Scheme, *, without: tuple[str, ...] = ()) -> list[str]:
        """Return what axe-core finds on the page, by all rules but these."""
        self.page.emulate_media(color_scheme=scheme)
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        return [f"{scheme}: {found}" for found in self.page.evaluate(AXE, list(without))]

    def resize(self, width: int) -> None:
        """Give the window this width."""
        self.page.set_viewport_size(_size(width))

    def wider_than(self, width: int) -> list[str]:
        """Return what makes the page scroll sideways in a window of this width."""
        self.resize(width)
        return list(self.page.evaluate(WIDER))

    def parted_addresses(self) -> list[str]:
        """Return the elements of the page in which a line may end with a hyphen within an address."""
        return list(self.page.evaluate(PARTED))

    def enlarge_text(self) -> None:
        """Set all text of the page to twice its size."""
        self.page.evaluate(LARGE_TEXT)

    def weight(self) -> int:
        """Return the page's size in bytes with stylesheets and scripts, and without pictures."""
        return int(self.page.evaluate(WEIGHT))

    def close(self) -> None:
        """Close the tab and forget its cookies."""
        self.context.close()

    def language(self) -> tuple[str, str]:
        """Return the page's language and direction."""
        root: Any = self.page.locator("html")
        return root.get_attribute("lang"), root.get_attribute("dir")


def _size(width: int) -> Any:
    return {"width": width, "height": HEIGHT}
