"""Remove a relay's user and password from what it replies, however the relay spells them.

Servers quote a refused login as they received it, in base64 (RFC 4616's PLAIN as a whole, RFC 4954's LOGIN word by
word), or as their own log writes it. Replies are stored and shown, so they must contain neither.
"""

import base64
import re
from collections.abc import Callable, Iterator

from newsletter.relays import Relay

MARK = "<credential>"
FREE_STANDING = 6  # characters of the shortest credential that is also replaced inside a longer word
SHORTEST_PIECE = 8  # characters of a password's beginning, as of a login that the server has cut short
SHORTEST_RUN = 4  # characters of base64 that identify a credential inside a longer text

# What may stand between two characters of a credential: the break between two lines of a reply (whose enhanced status
# code repeats on each line), and a soft line break of quoted-printable.
_GAP = r"(?:=?\s+(?:[245]\.\d{1,3}\.\d{1,3}\s+)?)?"
_QUOTING = r"\\%=+&"  # the first characters of quoted ones
_NAMED_IN_HTML = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_BASE64_URL = {"+": "-", "/": "_"}  # RFC 4648 section 5
_REST_OF_WORD = r"[\w+/%=-]*"


def hider(relay: Relay) -> Callable[[str], str]:
    """Return the function that replaces the relay's user and password in a text by `<credential>`.

    It finds each as it is, in base64, in hexadecimal, with any characters percent-encoded or quoted (backslashes, HTML,
    quoted-printable, the xtext of RFC 3461), and across line breaks. In doubt it replaces: an ordinary word that
    equals the user goes, too. A credential of less than six characters is replaced only where it is a whole word. A
    password's first eight characters count as the password.
    """
    if not (relay.user and relay.password):
        return lambda text: text
    credentials = relay.user, relay.password
    # A user before an @ is part of an address, which is replaced as a whole elsewhere.
    user, *encoded = _spellings(relay.user)
    plain = (
        _quoted(run) for run, _ in _base64_runs(f"\0{relay.user}\0".encode())
    )  # with the user, however short, the whole goes
    passwords = _spellings(relay.password, at_least=SHORTEST_PIECE)
    spellings = {rf"(?:{user})(?!@|%40)", *encoded, *passwords, *plain}
    longest_first = "|".join(sorted(spellings, key=len, reverse=True))
    begin = "".join(
        sorted({first for each in (*credentials, f"\0{relay.user}\0") for first in _first_characters(each)})
    )
    # The look-ahead makes the search several times as fast: few characters of a text can begin a credential.
    found = re.compile(rf"(?=[{_QUOTING}{re.escape(begin)}])(?:{longest_first})", re.IGNORECASE)
    # A longer text in base64 goes as a whole: its other characters are the other credential, or bits of this one.
    marked = re.compile(rf"{_REST_OF_WORD}{MARK}(?:{_REST_OF_WORD}{MARK})*(?:{_REST_OF_WORD})")

    def hide(text: str) -> str:
        hidden = found.sub(MARK, text)
        return text if hidden == text else marked.sub(MARK, hidden)

    return hide


def _spellings(secret: str, *, at_least: int | None = None) -> Iterator[str]:
    """Yield the patterns of a credential, that of the credential as it is first.

    With `at_least`, so many characters or octets of its beginning are enough.
    """
    octets = secret.encode()
    yield _bounded(_quoted(secret, at_least), is_free=len(secret) >= FREE_STANDING)
    hexadecimal = [f"(?:[\\\\0]x|%)?{_GAP.join(f'{octet:02x}')}" for octet in octets]
    yield _bounded(_joined(hexadecimal, at_least, "[:.,;-]?"), is_free=len(octets) > 2)
    enough = at_least and at_least * 8 // 6
    yield _bounded(_quoted(_whole_base64(octets), enough), is_free=False)
    yield from (_quoted(run, least) for run, least in _base64_runs(octets, at_least))


def _first_characters(secret: str) -> Iterator[str]:
    """Yield the characters with which a spelling can begin, but for quoted ones."""
    octets = secret.encode()
    yield from (secret[0], "0", f"{octets[0]:x}"[0], _whole_base64(octets)[0])
    for run, _ in _base64_runs(octets):
        yield from (run[0], _BASE64_URL.get(run[0], run[0]))


def _whole_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


def _base64_runs(octets: bytes, at_least: int | None = None) -> list[tuple[str, int]]:
    """Return the base64 of these octets at each of three offsets, without the characters that their neighbors change.

    So a credential is found inside a longer text: its first character of six bits that are all its own is at
    `offset * 8 / 6`, rounded up. The numbers say how many characters hold the first `at_least` octets, or all.
    """
    runs = []
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + octets).decode()
        start = (offset * 8 + 5) // 6
        run = encoded[start : (offset + len(octets)) * 8 // 6]
        runs.append((run, (offset + at_least) * 8 // 6 - start if at_least else len(run)))
    return [(run, least) for run, least in runs if len(run) >= SHORTEST_RUN]


def _bounded(pattern: str, *, is_free: bool) -> str:
    """Return the pattern; for a short credential, only where no letter or digit is next to it."""
    return pattern if is_free else rf"(?<![^\W_])(?:{pattern})(?![^\W_])"


def _quoted(text: str, at_least: int | None = None) -> str:
    """Return the pattern of a text, or so much of its beginning, in which any character may be quoted."""
    return _joined(list(map(_character, text)), at_least)


def _joined(patterns: list[str], at_least: int | None, between: str = "") -> str:
    """Return the pattern of these in a row; with `at_least`, only so many, and what is left of the others."""
    gap = f"{between}{_GAP}"
    if at_least is None or len(patterns) <= at_least:
        return gap.join(patterns)
    begin, rest = patterns[:at_least], patterns[at_least:]
    cut = "|".join(sorted(set(rest), key=len, reverse=True))
    return f"{gap.join(begin)}(?:{gap}{gap.join(rest)}|(?:{between}(?:{cut}))*)"


def _character(character: str) -> str:
    octets, code = character.encode(), ord(character)
    spellings = [rf"\\?{re.escape(character)}", rf"&\#0*{code};", rf"&\#x0*{code:x};", rf"\\u{code:04x}"]
    spellings += ["".join(f"{prefix}{octet:02x}" for octet in octets) for prefix in ("%", "=", r"\+", r"\\x")]
    spellings.append("".join(rf"\\{octet:03o}" for octet in octets))
    if character in _NAMED_IN_HTML:
        spellings.append(f"&{_NAMED_IN_HTML[character]};")
    if character in _BASE64_URL:
        spellings.append(_BASE64_URL[character])
    return f"(?:{'|'.join(spellings)})"
