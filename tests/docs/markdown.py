"""Read the pages of the documentation: their fenced blocks, inline code and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r'\]\(([^)\s]+)\)|src="([^"]+)"')


@dataclass(frozen=True)
class FencedBlock:
    """A fenced block. `info` is the text after the opening fence, such as `sh run`; `line` is its first line."""

    page: Path
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(*infos: str, page: Path | None = None) -> list[FencedBlock]:
    """Return the blocks with one of these infos, of one page or of all."""
    found = []
    for each in [page] if page else PAGES:
        text = each.read_text()
        for match in FENCE.finditer(text):
            if match["info"] in infos:
                line = text.count("\n", 0, match.start()) + 2
                found.append(FencedBlock(each, line, match["info"], match["text"]))
    return found


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return FENCE.sub("", page.read_text())


def spans(page: Path) -> Iterator[str]:
    """Return the inline code of a page."""
    return (" ".join(span.split()) for span in SPAN.findall(prose(page)))


def links(page: Path) -> Iterator[str]:
    """Return the targets of links and images, as written."""
    return (link or source for link, source in LINK.findall(prose(page)))
