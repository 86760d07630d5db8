"""Prepare an XML document for feedparser, which would read some common elements as others.

The quantifiers are possessive (`*+`) where two of them can match the same text, so that no document takes long.
"""

import html as markup
import re

# The text of a <link> is the address (RSS 2.0); with one of these attributes, feedparser would take the attribute's.
LINK_WITH_TEXT = re.compile(
    r"<link\s(?=[^<>]*?\b(?:href|uri|url|src)\s*=)[^<>]*+(?<!/)>"
    r"(\s*+(?:<!\[CDATA\[\s*+)?https?://[^\s<>\]]++\s*+(?:\]\]>\s*+)?</link\s*>)",
    re.IGNORECASE,
)
# Without these, feedparser reads the permalink as the link of the item.
NO_LINK = re.compile(
    r"<link\s*/>|<link>\s*+(?:<!\[CDATA\[\s*+(?:\]\]>\s*+)?)?"
    r"(?:</link\s*>|(?!https?:)[a-z][a-z0-9+.-]*+:[^<>]*+(?:>\s*+)?</link\s*>)",
    re.IGNORECASE,
)
# feedparser takes the title of a media file for that of the entry. It takes its description for a text of the entry as
# well; the parser leaves that out where the entry has a text of its own.
MEDIA_TITLE = re.compile(r"<(/?)media:title(?=[\s/>])")

# feedparser takes the editor of a channel for one of its authors.
MANAGING_EDITOR = re.compile(r"<(/?)managingEditor(?=[\s/>])", re.IGNORECASE)
# feedparser cuts a name after the address beside it, if the address ends in a domain of more than four letters.
PERSON = re.compile(
    r"(<(?:author|managing_editor|(?:dc:|dcterms:)?creator|itunes:author)(?:\s[^<>]*+)?>)\s*+(<!\[CDATA\[)?"
    r"(?=[^<\]@]{0,500}@)([^<\]]{0,1000}+)(?:\]\]>)?\s*+(?=</)",
    re.IGNORECASE,
)
MAILBOX = re.compile(r"[(<\[]?\s*(?:mailto:)?[^\s@()<>\[\],;]+@[^\s@()<>\[\],;]+\s*[)>\]]?", re.IGNORECASE)


def prepare(document: str) -> bytes:
    """Return the document, from its root element on, as UTF-8 with an XML declaration."""
    text = LINK_WITH_TEXT.sub(r"<link>\1", document)
    text = NO_LINK.sub("", text)
    text = MEDIA_TITLE.sub(r"<\1media:file-title", text)
    text = PERSON.sub(_without_mailbox, MANAGING_EDITOR.sub(r"<\1managing_editor", text))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode()


def _without_mailbox(person: re.Match[str]) -> str:
    start, cdata, name = person.groups()
    return start + markup.escape(MAILBOX.sub("", name if cdata else markup.unescape(name)).strip())
