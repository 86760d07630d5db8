"""Read the names of an entry's authors: several if it has several, and without mail addresses.

An entry without authors has those of its source, else of its feed (RFC 4287 section 4.2.1; JSON Feed 1.1).
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from newsletter.content.parsing.feedparser_input import MAILBOX
from newsletter.content.parsing.texts.unescaping import plain_line

MAX_AUTHORS = 20
MAX_READ = 100  # authors that are read for these: a feed may give thousands to each of its entries
MAX_AUTHOR = 500  # characters that are searched for mail addresses
BY = re.compile(r"(?:written )?by:?\s+(?=\S)", re.IGNORECASE)
# A mail address written as "ann at news dot example" is none for readers either.
NO_NAME = re.compile(r"(?:https?://|www\.)\S*|[\W_]*|unknown|none|null|n/a|undefined", re.IGNORECASE)


def of_entry(entry: Any, feed: Any) -> str:
    """Return the names of an entry that feedparser has read, else of its source, else of its feed.

    The last resort is the managing editor, whom RSS 2.0 names for the content of the whole channel.
    """
    own = _names(entry) or _names(entry.get("source") or {})
    return own or _names(feed) or joined([feed.get("managing_editor") or ""])


def of_json_item(item: dict[str, Any], feed: dict[str, Any]) -> str:
    """Return the names of a JSON Feed's item, else of the feed; version 1 has a single `author`."""
    return joined(_json_names(item)) or joined(_json_names(feed))


def joined(names: Iterable[str]) -> str:
    """Return the names, each once, separated by commas."""
    unique: dict[str, str] = {}
    for name in islice(names, MAX_READ):
        plain = _name(name)
        if not NO_NAME.fullmatch(plain):
            unique.setdefault(plain.casefold(), plain)
    return ", ".join(list(unique.values())[:MAX_AUTHORS])


def _names(holder: Any) -> str:
    return joined(author.get("name") or "" for author in holder.get("authors", ()))


def _json_names(holder: dict[str, Any]) -> Iterable[str]:
    authors = holder.get("authors") or holder.get("author") or ()
    for author in authors if isinstance(authors, list) else [authors]:
        name = author.get("name") if isinstance(author, dict) else author
        if isinstance(name, str):
            yield name


def _name(written: str) -> str:
    """Return the name without the mail address that RSS requires beside it."""
    name = MAILBOX.sub("", plain_line(written[:MAX_AUTHOR], is_html=True)).strip()
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1]
    return BY.sub("", re.sub(r"\s+,", ",", name), count=1).strip(" ,;&|")
