"""Build letters as MIME messages, and write their headers by stricter rules than Python's.

Python's header classes decode encoded-words in a value, so that a feed's title can become a header (CVE-2024-6923), and
encode a value that does not fit a line, so that mail programs miss the link in List-Unsubscribe. Here a value is stored
unchanged and written by one of two rules:

- Text (Subject, and the display names that `mailbox` writes) may hold any characters. A run of blanks, line breaks and
  control characters becomes one space. Text that is not ASCII, or looks like an encoded-word, is encoded (RFC 2047).
- Any other header is verbatim: printable ASCII or HeaderError, never encoded, folded only at blanks and so never
  inside a URI. No header is repeated.
"""

import re
import string
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from newsletter.errors import NewsletterError

TEXT_HEADERS = frozenset({"subject"})
MAILBOX_HEADERS = frozenset({"from", "sender", "reply-to", "to"})

LINE_LENGTH = 76  # RFC 2047 section 2 for lines with an encoded-word; RFC 5322 section 2.1.1 would allow 78
MAX_LINE_LENGTH = 998  # RFC 5322 section 2.1.1
WORD_LENGTH = 64  # an encoded-word may have 75 characters, but the first shares its line with "Reply-To: "
ENCODED_LENGTH = WORD_LENGTH - len("=?utf-8?q??=")

HEADER_NAME = re.compile(r"[!-9;-~]{1,64}")  # RFC 5322 section 3.6.8
VERBATIM = re.compile(r"[!-~](?:[ -~]*[!-~])?")
ADDRESS = re.compile(r'[^\s\x00-\x1f\x7f-\x9f"(),:;<>@\[\\\]\ud800-\udfff]+@[a-zA-Z0-9.-]+')
ENCODED = r"=\?utf-8\?[qb]\?[!->@-~]+\?="
MAILBOX = re.compile(rf'(?:"[ !#-\[\]-~]{{1,60}}"|{ENCODED}(?: {ENCODED})*) <(?!.*=\?){ADDRESS.pattern}>')
QUOTABLE = re.compile(r"(?!.*=\?)[ !#-\[\]-~]{1,60}")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # and unpaired surrogates
BLANKS = re.compile(rf"(?: |{CONTROLS.pattern})+")

PHRASE_CHARACTERS = string.ascii_letters + string.digits + "!*+-/"  # unencoded in a phrase: RFC 2047 section 5 rule 3
Q_CODES = [chr(byte) if chr(byte) in PHRASE_CHARACTERS else f"={byte:02X}" for byte in range(256)]
Q_CODES[0x20] = "_"


class HeaderError(NewsletterError):
    """A letter's header cannot hold this value."""


class LetterPolicy(EmailPolicy):
    """The policy for messages that this project writes. It is not for parsing messages of others."""

    def header_max_count(self, name: str) -> int:
        """Allow each header once. RFC 5322 section 3.6, RFC 8058 and RFC 2919 ask it of some; we repeat none."""
        return 1

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Store the value unchanged: parsing would decode an encoded-word. Raises HeaderError if it is not allowed."""
        if not HEADER_NAME.fullmatch(name):
            raise HeaderError(f"{name!r} is not a valid name of a header")
        return name, value if name.lower() in TEXT_HEADERS else _verbatim(name, value)

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Return the value unchanged, except Content-*: Python's content managers need those parsed."""
        return super().header_fetch_parse(name, value) if name.lower().startswith("content-") else value

    def fold(self, name: str, value: str) -> str:
        """Return the header as text, with CRLF. Raises HeaderError if a word is too long for any line."""
        tokens = words(on_one_line(value)) if name.lower() in TEXT_HEADERS else _verbatim(name, value).split()
        written = lines(f"{name}:", tokens)
        if max(map(len, written)) > MAX_LINE_LENGTH:
            raise HeaderError(f"{name} has a word that is too long for a line (RFC 5322 section 2.1.1)")
        return "".join(f"{line}\r\n" for line in written)

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the header as ASCII bytes."""
        return self.fold(name, value).encode("ascii")


LETTER = LetterPolicy(linesep="\r\n", cte_type="7bit")


def letter(headers: Mapping[str, str], *, text: str, html: str) -> EmailMessage:
    """Return a multipart/alternative message, plain text first (RFC 2046 section 5.1.4). Raises HeaderError."""
    message = EmailMessage(policy=LETTER)
    for name, value in headers.items():
        message[name] = value
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def mailbox(name: str, address: str) -> str:
    """Return `name <address>` for From, Sender, Reply-To or To; the name may hold any text (RFC 5322 section 3.4).

    An address cannot be encoded (RFC 2047 section 5). Raises HeaderError if it is not ASCII, with its domain as
    A-labels.
    """
    if not address.isascii() or "=?" in address or not ADDRESS.fullmatch(address):
        raise HeaderError("an address in a header must be ASCII, with its domain as A-labels")
    name = on_one_line(name)
    if not name:
        return address
    return f"{phrase(name)} <{address}>"


def phrase(name: str) -> str:
    """Return a name, on one line and not empty, as it is written before an address: quoted or encoded."""
    return f'"{name}"' if QUOTABLE.fullmatch(name) else " ".join(encoded_words(name))


def lines(start: str, tokens: Iterable[str]) -> list[str]:
    """Return the lines of a header that begins with `start`, folded before each token that does not fit its line."""
    lines = [start]
    for token in tokens:
        # The first token stays on the first line, however long: without it that line would be empty.
        if len(lines[-1]) + 1 + len(token) <= LINE_LENGTH or lines == [start]:
            lines[-1] += f" {token}"
        else:
            lines.append(f" {token}")
    return lines


def on_one_line(text: str) -> str:
    """Return `text` with each run of blanks, line breaks, controls and unpaired surrogates as one space, stripped."""
    return BLANKS.sub(" ", text).strip(" ")


def words(text: str) -> list[str]:
    """Return text on one line as the words of a header: unchanged if it is read back the same, else all encoded."""
    plain = text.split(" ")
    readable = text.isascii() and "=?" not in text and max(map(len, plain)) <= WORD_LENGTH
    return plain if readable else encoded_words(text)


def encoded_words(text: str) -> list[str]:
    """Return `text` as encoded-words that a phrase may hold (RFC 2047 section 5 rule 3). No character is split."""
    encoding, encode = min(("q", _q), ("b", _b), key=lambda each: len(each[1](text)))
    if len(whole := encode(text)) <= ENCODED_LENGTH:
        return [f"=?utf-8?{encoding}?{whole}?="] if text else []
    return [f"=?utf-8?{encoding}?{encode(chunk)}?=" for chunk in _chunks(text, encode)]


def _chunks(text: str, encode: Callable[[str], str]) -> Iterator[str]:
    chunk = ""
    for character in text:
        if len(encode(chunk + character)) > ENCODED_LENGTH:
            yield chunk
            chunk = ""
        chunk += character
    if chunk:
        yield chunk


def _q(text: str) -> str:
    return "".join([Q_CODES[byte] for byte in text.encode()])


def _b(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _verbatim(name: str, value: Any) -> str:
    """Return the value if it can be written unchanged. Only a mailbox may hold encoded-words (see `mailbox`)."""
    if not isinstance(value, str) or not VERBATIM.fullmatch(value):
        raise HeaderError(f"{name} must be printable ASCII on one line: it is never encoded")
    if "=?" in value and name.lower() not in MAILBOX_HEADERS:
        raise HeaderError(f"{name} must not hold an encoded-word: it is never encoded")
    return value
