"""`python -m tests.docs.site FOLDER`: report broken links of a built site, and requests to other hosts."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser

# Attributes that make a browser fetch without a click; <a> and <form> need one.
FETCHED = {"src", "srcset", "data", "poster", "background", "manifest"}
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")\s]+)""", re.IGNORECASE)
IN_SCRIPTS = re.compile(r"""['"`]((?:https?:|wss?:)?//[\w-]+(?:\.[\w-]+)+[^'"`]*)['"`]""")
NAMES_ONLY = {"www.w3.org"}  # XML namespaces, which no browser fetches
POLICY = "Content-Security-Policy"


def requests(tree: LexborHTMLParser) -> Iterator[str]:
    """Return the addresses on other hosts that a browser would fetch to show a page."""
    for element in tree.css("*"):
        fetched = FETCHED | ({"href", "xlink:href"} if element.tag in ("link", "use", "image") else set())
        values = [value or "" for attribute, value in element.attributes.items() if attribute in fetched]
        yield from (value for value in values if is_elsewhere(value))
        yield from IN_STYLES.findall(element.attributes.get("style") or "")
        if element.tag == "style":
            yield from IN_STYLES.findall(element.text())
        if element.tag == "script":
            yield from scripted(element.text())


def scripted(script: str) -> Iterator[str]:
    """Return the addresses in a script."""
    return (url for url in IN_SCRIPTS.findall(script) if urlsplit(url).hostname not in NAMES_ONLY)


def is_elsewhere(value: str) -> bool:
    """Return whether an attribute's value names another host."""
    return bool(re.search(r"(?:^|[\s,])(?:https?:)?//", value))


def broken_links(file: Path, tree: LexborHTMLParser) -> Iterator[str]:
    """Report a page's links and images whose target within the site, or whose anchor, is missing."""
    for element in tree.css("[href], [src]"):
        to = urlsplit(element.attributes.get("href") or element.attributes.get("src") or "")
        if to.scheme or to.netloc:
            continue
        target = file.parent / unquote(to.path) if to.path else file
        if not target.is_file() or (to.fragment and unquote(to.fragment) not in anchors(target)):
            yield f"{to.geturl()} is a broken link"


@cache
def anchors(file: Path) -> frozenset[str | None]:
    """Return the ids of a page."""
    return frozenset(element.attributes["id"] for element in LexborHTMLParser(file.read_text()).css("[id]"))


def defects(folder: Path) -> Iterator[str]:
    """Report requests to other hosts, broken links, and pages without a content security policy."""
    for file in sorted(folder.rglob("*")):
        match file.suffix:
            case ".html":
                page = file.read_text()
                tree = LexborHTMLParser(page)
                found = [*requests(tree), *broken_links(file, tree), *([] if POLICY in page else [f"no {POLICY}"])]
            case ".css":
                found = IN_STYLES.findall(file.read_text())
            case ".js":
                found = list(scripted(file.read_text()))
            case _:
                found = []
        yield from (f"{file.relative_to(folder)}: {defect}" for defect in found)


def main() -> int:
    """Report the defects of a built site; return the exit code."""
    folder = Path(sys.argv[1])
    found = list(defects(folder))
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found or not (folder / "index.html").is_file() else 0


if __name__ == "__main__":
    sys.exit(main())
