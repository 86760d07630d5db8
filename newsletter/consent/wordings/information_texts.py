"""The information of GDPR Art. 13 as an operator writes it: paragraphs, each a term on a line and then its text."""

import re

from newsletter.consent.wordings.proposed_words import Information
from newsletter.errors import Malformed
from newsletter.plain_text import CONTROLS

PARAGRAPHS = re.compile(r"\n[ \t]*\n")


def read(text: str, tag: str) -> Information:
    """Return the information in a text in this language, as the publisher's own. Raises Malformed."""
    paragraphs = PARAGRAPHS.split(text.replace("\r\n", "\n"))
    parts = (part.strip().partition("\n") for part in paragraphs)
    entries = [[term.strip(), " ".join(told.split())] for term, _, told in parts]
    entries = [entry for entry in entries if entry != ["", ""]]
    if not entries or not all(term and told for term, told in entries):
        raise Malformed("information", "Write each term on a line, its text on the next ones, and then an empty line.")
    if CONTROLS.search(text):
        raise Malformed("information", "Enter plain text, without control characters.")
    return {"language": tag, "entries": entries, "own": True}


def written(information: Information) -> str:
    """Return information as `read` reads it."""
    return "\n\n".join("\n".join(entry) for entry in information["entries"])
