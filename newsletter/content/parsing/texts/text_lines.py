"""Read HTML line by line, and write it back without the lines and ends of lines that were cut."""

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.content.parsing.texts.sanitizing import BLOCKS, REMOVED, bounded

LINE_BREAKS = (BLOCKS - {"img"}) | {"table", "tbody", "main", "aside", "nav", "dl", "form", "details", "center"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
# Classes that publishing programs give to buttons, forms and lists beside an article.
CONTAINERS = re.compile(
    r"\b(?:sharedaddy|sd-sharing|addtoany\w*|a2a_kit|feedflare|jp-relatedposts|jp-post-flair|mc4wp-form|subscribe-widget"
    r"|subscription-widget|social-share|share-buttons|newsletter-signup|wp-block-jetpack-subscriptions)\b"
)
CAPTION = re.compile(r"\b(?:wp-caption-text|image-caption|photo-credit|caption-text)\b")


@dataclass
class LinkSpan:
    """Where a link's text begins and ends in its line."""

    start: int
    end: int


@dataclass
class HtmlLine:
    """The text of a line of HTML. `cut_at` is the position from which on its text leaves."""

    text: str = ""
    links: list[LinkSpan] = field(default_factory=list)
    is_caption: bool = False
    is_heading: bool = False
    cut_at: int | None = None
    nodes: list[tuple[int, LexborNode]] = field(default_factory=list)  # with the position where each begins

    @property
    def kept(self) -> str:
        """The text that stays."""
        return self.text if self.cut_at is None else self.text[: self.cut_at]


class HtmlLines:
    """The lines of a document that have text, in order."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._body = LexborHTMLParser(bounded(html)).body
        self._line = HtmlLine()
        self._link: int | None = None  # the link that the line's last text stands in
        self.lines: list[HtmlLine] = []
        self._has_lost_containers = False
        if self._body:
            self._read(self._body)
        self._end_line()

    def html(self) -> str:
        """Return the document without what was cut; exactly as it was if nothing was."""
        cut = [line for line in self.lines if line.cut_at is not None]
        for line in cut:
            for start, node in line.nodes:
                _keep(node, line.kept[start : start + len(node.text(deep=False))].rstrip())
        changed = bool(cut) or self._has_lost_containers
        return (self._body.inner_html or "") if changed and self._body else self._html

    def _read(self, body: LexborNode) -> None:
        # A stack instead of recursion: the depth is a stranger's.
        stack: list[tuple[LexborNode | None, LexborNode | None, bool]] = [(body, None, False)]
        while stack:
            node, link, is_caption = stack.pop()
            if node is None:
                self._end_line()
            elif node.is_text_node:
                self._add(node, link, is_caption=is_caption)
            elif node.tag in REMOVED or not node.is_element_node:
                continue
            else:
                names = node.attributes.get("class") or ""
                if names and CONTAINERS.search(names):
                    node.decompose()
                    self._has_lost_containers = True
                    continue
                if node.tag in LINE_BREAKS:
                    self._end_line()
                    self._line.is_heading = node.tag in HEADINGS
                    stack.append((None, None, False))
                inside = node if node.tag == "a" else link
                caption = is_caption or node.tag == "figcaption" or bool(names and CAPTION.search(names))
                stack.extend((child, inside, caption) for child in reversed(list(node.iter(include_text=True))))

    def _add(self, node: LexborNode, link: LexborNode | None, *, is_caption: bool) -> None:
        line, text = self._line, node.text(deep=False)
        start, end = len(line.text), len(line.text) + len(text)
        if link and line.links and self._link == link.mem_id:
            line.links[-1].end = end
        elif link and text.strip():
            line.links.append(LinkSpan(start, end))
            self._link = link.mem_id
        line.text += text
        line.is_caption = line.is_caption or is_caption
        line.nodes.append((start, node))

    def _end_line(self) -> None:
        if self._line.text.strip():
            self.lines.append(self._line)
        self._line, self._link = HtmlLine(), None


def _keep(node: LexborNode, text: str) -> None:
    """Replace a text node's text. Elements that have nothing left to show leave with it."""
    if text:
        if text != node.text(deep=False).rstrip():
            node.replace_with(text)
        return
    parent = node.parent
    node.decompose()
    while parent and parent.tag not in ("body", "td", "th") and not parent.text().strip() and not parent.css("img"):
        node, parent = parent, parent.parent
        node.decompose()
