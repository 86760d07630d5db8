"""`make screenshots`: run the demo and take the screenshots of README and documentation with Chromium.

After them, every page of the desk is drawn into `var/desk`, to look at.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from PIL import Image
from playwright.sync_api import Page, ViewportSize
from selectolax.lexbor import LexborHTMLParser

from tests.browser.chromium import running_chromium
from tests.docs import desk_gallery, news_page
from tests.docs.browser import browser
from tests.servers.server import find_program, free_port

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LIMIT = 100_000  # bytes of a picture
SCREEN = {"width": 440, "height": 920, "scale": 2, "quality": 65}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")  # the first one that is installed is used
INVITATION = "/desk/link/"
DESK_SCREEN: ViewportSize = {"width": 1120, "height": 860}
DESK_QUALITY = 70
READY = "/outbox"  # the demo prints this address once its last letter is sent


def main() -> int:
    """Take the screenshots; return the exit code."""
    program = next(filter(None, map(find_program, PROGRAMS)), None)
    if program is None:
        sys.stderr.write("Chromium is missing: apt install chromium\n")
        return 1
    with demo() as (base_url, invitation):
        with browser(program) as tab:
            pages = {"sign-up": f"{base_url}/n/paper-and-clocks", "letter": digest_letter(base_url)}
            pictures = {name: tab.picture(url, **SCREEN) for name, url in pages.items()}
        pictures["news-page"] = news_page.picture(base_url, "paper-and-clocks")
        pictures |= desk_pictures(invitation)
    for name, picture in pictures.items():
        if len(picture) >= LIMIT:
            sys.stderr.write(f"The picture {name} has {len(picture):,} bytes; the limit is {LIMIT:,}\n")
            return 1
        (PICTURES / f"{name}.webp").write_bytes(picture)
        sys.stdout.write(f"docs/pictures/{name}.webp: {len(picture):,} bytes\n")
    if "--desk" in sys.argv:
        sys.stdout.write(f"{desk_gallery.draw()} pictures in {desk_gallery.GALLERY}\n")
    return 0


def desk_pictures(invitation: str) -> dict[str, bytes]:
    """Accept the invitation to the demo's desk; return a picture of Today, of an issue that waits and of its digest."""
    with running_chromium() as chromium:
        page = chromium.new_page(viewport=DESK_SCREEN, locale="en", device_scale_factor=1.5)
        page.goto(invitation)
        page.get_by_label("Your name").fill("Duty editor")
        page.get_by_label("New password").fill("correct horse battery staple")
        page.get_by_role("button", name="Set the password").click()
        page.get_by_role("link", name="Read and approve").wait_for()
        pictures = {"desk-today": _shot(page)}
        page.get_by_role("link", name="Read and approve").click()
        page.locator("iframe").first.wait_for()
        page.wait_for_load_state("networkidle")
        pictures["desk-issue"] = _shot(page)
        page.get_by_role("link", name="Digests").first.click()
        page.get_by_role("link", name="Weekly review").first.click()
        page.wait_for_load_state("networkidle")
        return pictures | {"desk-digest": _shot(page)}


def _shot(page: Page) -> bytes:
    """Return what the window shows, without the notice of what was just done."""
    page.goto(page.url.partition("?")[0])
    drawn = BytesIO()
    Image.open(BytesIO(page.screenshot())).save(drawn, "webp", quality=DESK_QUALITY)
    return drawn.getvalue()


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Run `newsletter demo` in a temporary folder; yield the site's address and the desk's invitation at its end."""
    port = free_port()
    words = [sys.executable, "-m", "newsletter.cli", "demo", "--readers", "40", "--port", str(port)]
    with TemporaryDirectory(prefix="screenshots-") as folder:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            lines = list(takewhile(lambda line: READY not in line, process.stdout))
            invitation = next((line.split()[-1] for line in lines if INVITATION in line), None)
            if invitation is None:
                raise RuntimeError("the demo ended before it was ready")
            yield f"http://127.0.0.1:{port}", invitation
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def digest_letter(base_url: str) -> str:
    """Return the address at which the outbox shows the HTML of a digest letter."""
    with httpx2.Client(base_url=base_url, trust_env=False) as client:
        index = LexborHTMLParser(client.get("/outbox").text)
        links = (str(link.attributes["href"]) for link in index.css("a[href^='/outbox/']"))
        return next(base_url + f"{link}/html" for link in links if "/confirm/" not in client.get(f"{link}/text").text)


if __name__ == "__main__":
    sys.exit(main())
