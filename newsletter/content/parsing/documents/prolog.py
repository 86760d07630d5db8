"""Remove everything before the root element of an XML document, so that its parser has nothing to expand.

A feed needs no document type, and the document type declares everything that makes parsing XML dangerous: nested
entities and external entities.
"""

import re

from newsletter.content.parsing.documents.decoding import FeedUnreadable

DECLARATION = r"<\?xml\b[^<>]*>"
PROLOG = re.compile(rf"[\s\ufeff]+|{DECLARATION}|<\?.*?\?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
DOCTYPE = re.compile("<!DOCTYPE", re.IGNORECASE)
IN_DOCTYPE = re.compile(r"""["'>\[]""")
IN_SUBSET = re.compile(r"""["'\]]|<!--|<\?""")
ENDS = {'"': '"', "'": "'", "<!--": "-->", "<?": "?>"}
ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?(?P<name>[A-Za-z_][\w.-]*)")
FEED = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|rdf)(?=[\s/>])", re.IGNORECASE)
MAX_JUNK = 50_000  # characters before the root element: warnings of a server, text of a proxy


def strip_prolog(text: str) -> str:
    """Return the XML document from its root element on, without what stands before it, a document type included.

    Raises FeedUnreadable if it has no root element or is a web page.
    """
    at = _after_prolog(text)
    root = ROOT.match(text, at)
    if root and root["name"].lower() == "html":
        raise FeedUnreadable("This is a web page, not a feed. Look on the page for the address of its feed.")
    if feed := FEED.search(text, at, at + MAX_JUNK):
        return text[feed.start() :]
    if not root:
        raise FeedUnreadable("The document is neither XML nor a JSON Feed.")
    return text[at:]


def _after_prolog(text: str) -> int:
    """Return the place of the first character that belongs neither to the prolog nor to a document type."""
    at = 0
    while True:
        if part := PROLOG.match(text, at):
            at = part.end()
        elif doctype := DOCTYPE.match(text, at):
            end = _after_doctype(text, doctype.end())
            if not end:
                return doctype.end()
            at = end
        else:
            return at


def _after_doctype(text: str, at: int) -> int:
    """Return the place after a document type (XML 1.0 section 2.8), 0 if it does not end."""
    while token := IN_DOCTYPE.search(text, at):
        if token[0] == ">":
            return token.end()
        at = _after_subset(text, token.end()) if token[0] == "[" else text.find(token[0], token.end()) + 1
        if not at:
            break
    return 0


def _after_subset(text: str, at: int) -> int:
    """Return the place after an internal subset, 0 if it does not end. Quotes and comments may contain brackets."""
    while token := IN_SUBSET.search(text, at):
        if token[0] == "]":
            return token.end()
        end = text.find(ENDS[token[0]], token.end())
        if end < 0:
            break
        at = end + len(ENDS[token[0]])
    return 0
