"""What a mail server's reply means for a letter: whether it is about the reader, about us, or about now."""

import re
from enum import StrEnum

from newsletter import redaction
from newsletter.mail.letters.mime import on_one_line
from newsletter.mail.transport.transport import Message, Outcome, Reply

ENHANCED = re.compile(r"[245]\.(?P<cause>\d{1,3}\.\d{1,3})(?:\s+|$)")  # RFC 3463, at the start of each line (RFC 2034)
ENVELOPE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>\ud800-\udfff]+")
NAME = 3  # characters of a local part that is looked for in a reply
HEARD, KEPT = 2000, 400  # characters of a reply that are looked at, and that are kept


class Cause(StrEnum):
    """Whom a refusal is about. Only the first tells that an address is not to be written to any more."""

    RECIPIENT_PERMANENT = "recipient_permanent"  # there is no such mailbox, or it takes no mail
    RECIPIENT_TRANSIENT = "recipient_transient"  # a full mailbox, greylisting, a route that is down
    POLICY = "policy"  # held against sender, content, pace or our own bug: never the reader's


# By subject and detail of an enhanced status (RFC 3463 section 3), else by its subject.
ABOUT = {
    "1.0": Cause.RECIPIENT_PERMANENT,
    "1.1": Cause.RECIPIENT_PERMANENT,
    "1.2": Cause.RECIPIENT_PERMANENT,
    "1.3": Cause.RECIPIENT_PERMANENT,
    "1.6": Cause.RECIPIENT_PERMANENT,
    "1.7": Cause.POLICY,  # the sender's address
    "1.8": Cause.POLICY,
    "1.10": Cause.RECIPIENT_PERMANENT,  # a null MX, RFC 7505
    "1": Cause.RECIPIENT_TRANSIENT,
    "2.1": Cause.RECIPIENT_PERMANENT,  # disabled
    "2.3": Cause.POLICY,  # longer than their mailbox takes
    "2": Cause.RECIPIENT_TRANSIENT,
    "3.4": Cause.POLICY,  # longer than their system takes
    "3": Cause.RECIPIENT_TRANSIENT,
    "4": Cause.RECIPIENT_TRANSIENT,
    "5": Cause.POLICY,  # we spoke wrongly
    "6.7": Cause.RECIPIENT_PERMANENT,  # an address outside ASCII, and no way to it (RFC 6531)
    "6": Cause.POLICY,  # content
    "7": Cause.POLICY,
}
VAGUE = ("2.0", "5.0")  # what Outlook.com and iCloud say of a mailbox that does not exist; their words decide

HASHED = re.compile(r"#\s?([245]\.\d{1,3}\.\d{1,3})")
GREYLISTED = re.compile(r"gr[ea]y[ -]?list|postgrey")
BLOCKLISTED = re.compile(r"spamhaus|spamcop|barracuda|block(ing)?[ -]?list|black[ -]?list|\b(dns|uri|[rsxpz])bl\b")
TOO_FAST_FOR_THEM = re.compile(r"receiving mail (too quickly|at a rate)")  # Gmail, of one reader
SLOW = re.compile(
    r"too (many|fast|much)|\brate\b|throttl|slow down|temporarily deferred|limit|reputation|complain|spam|denied|block"
)
FULL = re.compile(
    r"quota|mailbox[^.]*\bfull\b|over[ -]?limit|insufficient (system )?storage|out of space|not enough space"
)
TOO_BIG = re.compile(r"\bsize\b|too (big|large|long)|\blength\b")
NOBODY = re.compile(r"\b(user|mailbox|account|recipient|address(ee)?)\b")
AGAINST_US = re.compile(
    r"spam|blocked|reputation|polic(y|ies)|prohibit|relay|authenticat|authori[sz]|\bspf\b|\bdkim\b|\bdmarc\b|denied"
    r"|banned|\blisted\b|content|virus|unsolicited|\bbulk\b|\bsender\b|\brate\b|too many|complain|\bhelo\b|\behlo\b"
    r"|reverse dns|\br?dns\b|\bptr\b|\btls\b|suspicious|phish|throttl|ip address"
)

# One line of printable ASCII after its status, without what an address has: most replies, and each letter has one of
# its own, for it names the place in the relay's queue.
PLAIN = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3}) ((?:[!-$&-?A-~]+ )*[!-$&-?A-~]+)")

BAD_SENDER = Reply(None, "5.1.7", "the sender's address cannot be written into an envelope")
BAD_RECIPIENT = Reply(None, "5.1.3", "this address cannot be written into an envelope")
NOT_ASCII = Reply(None, "5.6.7", "the relay takes no address outside ASCII (RFC 6531)")


def heard(code: int, text: bytes) -> Reply:
    """A reply as it came, its lines joined, and every address and link's token in it replaced."""
    if (plain := PLAIN.fullmatch(text)) and len(text) <= KEPT and 200 <= code <= 599 and b"/" not in text:
        return Reply(code, plain[1].decode(), plain[2].decode())
    lines = text.decode("utf-8", "replace")[:HEARD].split("\n")
    found = ENHANCED.match(lines[0])
    words = on_one_line(" ".join(ENHANCED.sub("", line, count=1) if found else line for line in lines))
    return Reply(
        code if 200 <= code <= 599 else None,
        found[0].strip() if found else None,
        redaction.scrub(words)[:KEPT],
    )


def stored(code: int | None, text: str | None) -> Reply:
    """A reply from a delivery's row, where its status stands before its words."""
    found = ENHANCED.match(text or "")
    return Reply(code, found[0].strip() if found else None, (text or "")[found.end() if found else 0 :])


def ours(error: Exception) -> Reply:
    """Our own account of why the server said nothing."""
    reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return Reply(None, None, redaction.scrub(on_one_line(reason))[:KEPT])


def nameless(reply: Reply, address: str) -> Reply:
    """A reply that does not name its reader either: servers quote what stands before the @ without the rest.

    Shorter names than three characters stay, for they are anybody's words; a tag after a + goes with the name.
    """
    local = address.rpartition("@")[0]
    name = local.partition("+")[0]
    if len(name) < NAME or name.lower() not in reply.text.lower():
        return reply
    whole = re.compile(rf"(?<!\w)(?:{re.escape(local)}|{re.escape(name)})(?!\w)", re.IGNORECASE)
    return reply._replace(text=whole.sub("<address>", reply.text))


def is_yes(reply: Reply) -> bool:
    """Whether it is a "positive completion reply" (RFC 5321 section 4.2.1)."""
    return reply.code is not None and 200 <= reply.code < 300


def verdict(reply: Reply) -> Outcome:
    """What a refusal after MAIL means: REFUSED only where the recipient is at fault, for good.

    Everything else is LATER. What that comes to after a 5xx, which is no invitation to try again, `retries` decides.
    """
    is_final = reply.code is not None and reply.code >= 500
    return Outcome.REFUSED if is_final and cause(reply) is Cause.RECIPIENT_PERMANENT else Outcome.LATER


def cause(reply: Reply) -> Cause:
    """Whom a refusal is about: by its enhanced status (RFC 3463, RFC 7504, RFC 7505), else by its code and its words.

    Where a reply leaves it open, it is not the reader's: who is wrongly blamed is never written to again.
    """
    words = reply.text.lower()
    status = reply.status or _status_within(reply.text)
    topic = status.partition(".")[2] if status else "0.0"
    if GREYLISTED.search(words):
        return Cause.RECIPIENT_TRANSIENT
    if reply.code is not None and reply.code < 500:
        is_slowed = reply.code == 421 or topic.startswith("7.") or (not status and SLOW.search(words))
        return Cause.POLICY if is_slowed else Cause.RECIPIENT_TRANSIENT
    if BLOCKLISTED.search(words):
        return Cause.POLICY
    if TOO_FAST_FOR_THEM.search(words):
        return Cause.RECIPIENT_TRANSIENT
    if topic.startswith("0.") or topic in VAGUE:
        return _by_words(reply.code, words)
    return ABOUT.get(topic) or ABOUT.get(topic.partition(".")[0], Cause.POLICY)


def _status_within(text: str) -> str | None:
    """The status as qmail "(#5.1.1)" and IronPort "#5.1.0" write it, before there was RFC 2034."""
    found = HASHED.search(text)
    return found[1] if found else None


def _by_words(code: int | None, words: str) -> Cause:
    """What a server without enhanced status codes means."""
    if code is None or FULL.search(words):  # None: our own account of a connection
        return Cause.RECIPIENT_TRANSIENT
    if AGAINST_US.search(words) or (code == 552 and TOO_BIG.search(words)):
        return Cause.POLICY
    if code == 552:
        return Cause.RECIPIENT_TRANSIENT
    is_about_them = code in (550, 551, 553, 556) or (code == 554 and NOBODY.search(words))
    return Cause.RECIPIENT_PERMANENT if is_about_them else Cause.POLICY


def unfit(message: Message) -> tuple[Outcome, Reply] | None:
    """What is wrong with an envelope before anybody is asked: a line break in it would be a command of its own."""
    if not ENVELOPE.fullmatch(message.recipient):
        return Outcome.REFUSED, BAD_RECIPIENT
    if not (message.sender.isascii() and ENVELOPE.fullmatch(message.sender)):
        return Outcome.LATER, BAD_SENDER
    return None
