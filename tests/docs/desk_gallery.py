"""`make screenshots`, the desk: a picture of every page in every state, on two screens and in both lights, to look at.

They are written below `var/desk`, one folder for each state.
"""

import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from tests.browser.chromium import PHONE, SCHEMES, Tab, running_chromium
from tests.browser.desk.contents import DeskState
from tests.browser.desk.walk import walking
from tests.servers.schema import migrate

GALLERY = Path(__file__).parents[2] / "var" / "desk"
WIDTHS = (1280, PHONE)


def draw(folder: Path = GALLERY, states: tuple[DeskState, ...] = tuple(DeskState)) -> int:
    """Draw every page into the folder; return the number of pictures."""
    number = 0
    with TemporaryDirectory(prefix="gallery-") as temporary, running_chromium() as chromium:
        template = Path(temporary) / "template.sqlite"
        migrate(f"sqlite:///{template}")
        for state in states:
            home = Path(temporary) / state
            home.mkdir()
            shutil.rmtree(folder / state, ignore_errors=True)
            number += _draw_state(chromium, template, home, state, folder / state)
    return number


def _draw_state(chromium: Browser, template: Path, home: Path, state: DeskState, folder: Path) -> int:
    folder.mkdir(parents=True)
    number = 0
    with walking(chromium, template, home, state) as walk:
        for tab, _, path in walk.stops():
            for width in WIDTHS:
                for scheme in SCHEMES:
                    _draw_page(tab, width, scheme, folder / f"{_named(path)}-{width}-{scheme}.png")
                    number += 1
    return number


def _draw_page(tab: Tab, width: int, scheme: str, file: Path) -> None:
    tab.resize(width)
    tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.page.screenshot(path=file, full_page=True)


def _named(path: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", path.removeprefix("/desk").lower()).strip("-")
    return name[:60] or "today"


if __name__ == "__main__":
    sys.stdout.write(f"{draw(states=tuple(map(DeskState, sys.argv[1:])) or tuple(DeskState))} pictures in {GALLERY}\n")
