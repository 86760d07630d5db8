"""What a page says."""

from selectolax.lexbor import LexborHTMLParser


def text(page: LexborHTMLParser, selector: str) -> list[str]:
    """Return the texts of the elements that a selector finds, each on one line."""
    return [" ".join(node.text().split()) for node in page.css(selector)]
