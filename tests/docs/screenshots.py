"""`make screenshots`: run the demo and take the screenshots of README and documentation with Chromium."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from selectolax.lexbor import LexborHTMLParser

from tests.docs.browser import browser
from tests.servers.server import find_program, free_port

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LIMIT = 100_000  # bytes of a picture
SCREEN = {"width": 440, "height": 920, "scale": 2, "quality": 65}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")  # the first one that is installed is used
READY = "/outbox"  # the demo prints this address once its last letter is sent


def main() -> int:
    """Take the screenshots; return the exit code."""
    program = next(filter(None, map(find_program, PROGRAMS)), None)
    if program is None:
        sys.stderr.write("Chromium is missing: apt install chromium\n")
        return 1
    with demo() as base_url, browser(program) as tab:
        pages = {"sign-up": f"{base_url}/n/paper-and-clocks", "letter": digest_letter(base_url)}
        for name, url in pages.items():
            picture = tab.picture(url, **SCREEN)
            if len(picture) >= LIMIT:
                sys.stderr.write(f"The picture {name} has {len(picture):,} bytes; the limit is {LIMIT:,}\n")
                return 1
            (PICTURES / f"{name}.webp").write_bytes(picture)
            sys.stdout.write(f"docs/pictures/{name}.webp: {len(picture):,} bytes\n")
    return 0


@contextmanager
def demo() -> Iterator[str]:
    """Run `newsletter demo` in a temporary folder; yield the site's address once the issue is sent."""
    port = free_port()
    words = [sys.executable, "-m", "newsletter.cli", "demo", "--readers", "1", "--port", str(port)]
    with TemporaryDirectory(prefix="screenshots-") as folder:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            if not any(READY in line for line in process.stdout):
                raise RuntimeError("the demo ended before it was ready")
            yield f"http://127.0.0.1:{port}"
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
