"""Letters as MIME messages, with headers written by rules of our own.

Python's header classes decode encoded-words in what they are given, so that a feed's title can become a header
(CVE-2024-6923), and encode what does not fit a line, so that no mail program finds the link in List-Unsubscribe. Here
a value is kept as given and written by one of two rules:

- Text (Subject, and the display names that `mailbox` writes) is whatever people call things. Blanks, line breaks and
  control characters fold into one space; what is not plain ASCII, or looks like an encoded-word, is encoded (RFC 2047).
- Every other header is verbatim: printable ASCII or HeaderError, never encoded, folded at its blanks only and so never
  inside a URI. Each header stands once.
"""

import re
import string
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from newsletter.errors import NewsletterError

TEXTS = frozenset({"subject"})
MAILBOXES = frozenset({"from", "sender", "reply-to", "to"})

LINE = 76  # RFC 2047 section 2 for lines with an encoded-word; RFC 5322 section 2.1.1 would allow 78
LONGEST_LINE = 998  # RFC 5322 section 2.1.1
WORD = 64  # an encoded-word may have 75, but the first of them shares its line with "Reply-To: "
ROOM = WORD - len("=?utf-8?q??=")

NAME = re.compile(r"[!-9;-~]{1,64}")  # RFC 5322 section 3.6.8
VERBATIM = re.compile(r"[!-~](?:[ -~]*[!-~])?")
ADDRESS = re.compile(r'[^\s\x00-\x1f\x7f-\x9f"(),:;<>@\[\\\]\ud800-\udfff]+@[a-zA-Z0-9.-]+')
ENCODED = r"=\?utf-8\?[qb]\?[!->@-~]+\?="
MAILBOX = re.compile(rf'(?:"[ !#-\[\]-~]{{1,60}}"|{ENCODED}(?: {ENCODED})*) <(?!.*=\?){ADDRESS.pattern}>')
QUOTABLE = re.compile(r"(?!.*=\?)[ !#-\[\]-~]{1,60}")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # and what is no character at all
BLANKS = re.compile(rf"(?: |{CONTROLS.pattern})+")

PHRASE = string.ascii_letters + string.digits + "!*+-/"  # the Q encoding's alphabet where it is narrowest
Q = [chr(byte) if chr(byte) in PHRASE else f"={byte:02X}" for byte in range(256)]
Q[0x20] = "_"


class HeaderError(NewsletterError):
    """This cannot stand in a letter's header."""


class LetterPolicy(EmailPolicy):
    """How a message that we write keeps and writes its headers. It is not for parsing what others wrote."""

    def header_max_count(self, name: str) -> int:
        """RFC 5322 section 3.6 limits some headers, RFC 8058 and RFC 2919 others; no letter of ours repeats any."""
        return 1

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Keep the value as it is: parsing it would decode what an encoded-word hides."""
        if not NAME.fullmatch(name):
            raise HeaderError(f"a header cannot be called {name!r}")
        return name, value if name.lower() in TEXTS else _verbatim(name, value)

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Give the value back as it is; only the content managers need their own headers parsed."""
        return super().header_fetch_parse(name, value) if name.lower().startswith("content-") else value

    def fold(self, name: str, value: str) -> str:
        """Write a header, CRLF and all."""
        tokens = words(folded(value)) if name.lower() in TEXTS else _verbatim(name, value).split()
        written = lines(f"{name}:", tokens)
        if max(map(len, written)) > LONGEST_LINE:
            raise HeaderError(f"{name} has a word that fits no line (RFC 5322 section 2.1.1)")
        return "".join(f"{line}\r\n" for line in written)

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write a header in bytes, all of them ASCII."""
        return self.fold(name, value).encode("ascii")


LETTER = LetterPolicy(linesep="\r\n", cte_type="7bit")


def letter(headers: Mapping[str, str], *, text: str, html: str) -> EmailMessage:
    """A multipart/alternative message, the plainest part first (RFC 2046 section 5.1.4)."""
    message = EmailMessage(policy=LETTER)
    for name, value in headers.items():
        message[name] = value
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def mailbox(name: str, address: str) -> str:
    """`name <address>` for From, Sender, Reply-To or To, whatever the name is made of (RFC 5322 section 3.4).

    The address is ASCII, an internationalised domain as A-labels: in an address nothing can be encoded (RFC 2047
    section 5).
    """
    if not address.isascii() or "=?" in address or not ADDRESS.fullmatch(address):
        raise HeaderError("an address in a header is ASCII, with its domain as A-labels")
    name = folded(name)
    if not name:
        return address
    return f"{phrase(name)} <{address}>"


def phrase(name: str) -> str:
    """A name, on one line and not empty, as it stands before an address."""
    return f'"{name}"' if QUOTABLE.fullmatch(name) else " ".join(encoded_words(name))


def lines(begun: str, tokens: Iterable[str]) -> list[str]:
    """A header that begins so, folded before tokens that do not fit their line."""
    lines = [begun]
    for token in tokens:
        # The first token stays beside the name, however long: the only fold before it would leave that line empty.
        if len(lines[-1]) + 1 + len(token) <= LINE or lines == [begun]:
            lines[-1] += f" {token}"
        else:
            lines.append(f" {token}")
    return lines


def folded(text: str) -> str:
    """`text` on one line: runs of blanks, line breaks, controls and unpaired surrogates are one space."""
    return BLANKS.sub(" ", text).strip(" ")


def words(text: str) -> list[str]:
    """Folded text as the words of a header: as it is where it would be read so, else encoded as a whole."""
    plain = text.split(" ")
    readable = text.isascii() and "=?" not in text and max(map(len, plain)) <= WORD
    return plain if readable else encoded_words(text)


def encoded_words(text: str) -> list[str]:
    """`text` as encoded-words, also fit for a phrase (RFC 2047 section 5 rule 3); no character is divided."""
    encoding, encode = min(("q", _q), ("b", _b), key=lambda way: len(way[1](text)))
    if len(whole := encode(text)) <= ROOM:
        return [f"=?utf-8?{encoding}?{whole}?="] if text else []
    return [f"=?utf-8?{encoding}?{encode(chunk)}?=" for chunk in _chunks(text, encode)]


def _chunks(text: str, encode: Callable[[str], str]) -> Iterator[str]:
    chunk = ""
    for character in text:
        if len(encode(chunk + character)) > ROOM:
            yield chunk
            chunk = ""
        chunk += character
    if chunk:
        yield chunk


def _q(text: str) -> str:
    return "".join([Q[byte] for byte in text.encode()])


def _b(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _verbatim(name: str, value: Any) -> str:
    """The value, if it can be written as it is. Encoded-words are for mailboxes, in which `mailbox` puts them."""
    if not isinstance(value, str) or not VERBATIM.fullmatch(value):
        raise HeaderError(f"{name} is written as it is, and so must be printable ASCII on one line")
    if "=?" in value and name.lower() not in MAILBOXES:
        raise HeaderError(f"{name} is never encoded, but its value looks like an encoded-word")
    return value
