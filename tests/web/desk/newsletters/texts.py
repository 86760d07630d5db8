"""What a form holds, and what a page says."""

from selectolax.lexbor import LexborHTMLParser

FIELDS = {
    "name": "The Dawn  Letter",
    "publisher": "Example Press",
    "postal_address": "1 Street, 00000 Town",
    "sender": "letters@press.example",
    "language": "de",
    "other_languages": ["en", "fr"],
    "further_languages": "el, pt-br",
    "zone": "Europe/Berlin",
    "brand": "#AA2200",
}


def text(page: LexborHTMLParser, selector: str) -> list[str]:
    """Return the texts of the elements that a selector finds, each on one line."""
    return [" ".join(node.text().split()) for node in page.css(selector)]
