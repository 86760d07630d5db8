"""Parse mail servers' replies, and decide what a refusal is about: the recipient, us, or a passing condition."""

import re
from collections.abc import Callable
from enum import StrEnum

from newsletter import redaction
from newsletter.mail.letters.mime import on_one_line
from newsletter.mail.transport.transport import Message, Outcome, Reply

# RFC 3463, at the start of each line (RFC 2034)
ENHANCED = re.compile(r"[245]\.(?P<subject_and_detail>\d{1,3}\.\d{1,3})(?:\s+|$)")
ENVELOPE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>\ud800-\udfff]+")
SHORTEST_NAME = 3  # characters of a local part that is searched for in a reply
PARSED_CHARACTERS, STORED_CHARACTERS = 2000, 400  # of a reply


class RefusalCause(StrEnum):
    """What a refusal is about. Only RECIPIENT_PERMANENT means that the address must not be written to again."""

    RECIPIENT_PERMANENT = "recipient_permanent"  # the mailbox does not exist or accepts no mail
    RECIPIENT_TRANSIENT = "recipient_transient"  # a full mailbox, greylisting, a route that is down
    POLICY = "policy"  # sender, content, pace or a bug of ours: never the recipient


# By subject and detail of an enhanced status (RFC 3463 section 3), else by its subject.
CAUSE_BY_STATUS = {
    "1.0": RefusalCause.RECIPIENT_PERMANENT,
    "1.1": RefusalCause.RECIPIENT_PERMANENT,
    "1.2": RefusalCause.RECIPIENT_PERMANENT,
    "1.3": RefusalCause.RECIPIENT_PERMANENT,
    "1.6": RefusalCause.RECIPIENT_PERMANENT,
    "1.7": RefusalCause.POLICY,  # the sender's address
    "1.8": RefusalCause.POLICY,
    "1.10": RefusalCause.RECIPIENT_PERMANENT,  # a null MX, RFC 7505
    "1": RefusalCause.RECIPIENT_TRANSIENT,
    "2.1": RefusalCause.RECIPIENT_PERMANENT,  # disabled
    "2.3": RefusalCause.POLICY,  # larger than the mailbox allows
    "2": RefusalCause.RECIPIENT_TRANSIENT,
    "3.4": RefusalCause.POLICY,  # larger than the system allows
    "3": RefusalCause.RECIPIENT_TRANSIENT,
    "4": RefusalCause.RECIPIENT_TRANSIENT,
    "5": RefusalCause.POLICY,  # a protocol error of ours
    "6.7": RefusalCause.RECIPIENT_PERMANENT,  # an address outside ASCII that the server cannot handle (RFC 6531)
    "6": RefusalCause.POLICY,  # content
    "7": RefusalCause.POLICY,
}
VAGUE_STATUSES = ("2.0", "5.0")  # Outlook.com and iCloud send them for a mailbox that does not exist; the text decides

HASH_STATUS = re.compile(r"#\s?([245]\.\d{1,3}\.\d{1,3})")
GREYLISTED = re.compile(r"gr[ea]y[ -]?list|postgrey")
BLOCKLISTED = re.compile(r"spamhaus|spamcop|barracuda|block(ing)?[ -]?list|black[ -]?list|\b(dns|uri|[rsxpz])bl\b")
RECIPIENT_RATE = re.compile(r"receiving mail (too quickly|at a rate)")  # Gmail, about one recipient
SLOW = re.compile(
    r"too (many|fast|much)|\brate\b|throttl|slow down|temporarily deferred|limit|reputation|complain|spam|denied|block"
)
FULL = re.compile(
    r"quota|mailbox[^.]*\bfull\b|over[ -]?limit|insufficient (system )?storage|out of space|not enough space"
)
TOO_BIG = re.compile(r"\bsize\b|too (big|large|long)|\blength\b")
RECIPIENT = re.compile(r"\b(user|mailbox|account|recipient|address(ee)?)\b")
AGAINST_US = re.compile(
    r"spam|blocked|reputation|polic(y|ies)|prohibit|relay|authenticat|authori[sz]|\bspf\b|\bdkim\b|\bdmarc\b|denied"
    r"|banned|\blisted\b|content|virus|unsolicited|\bbulk\b|\bsender\b|\brate\b|too many|complain|\bhelo\b|\behlo\b"
    r"|reverse dns|\br?dns\b|\bptr\b|\btls\b|suspicious|phish|throttl|ip address"
    r"|<credential>"  # a reply that quotes our login is about us; the word that it stood for may have said so, too
)

# A fast path for most replies: one line of printable ASCII after its status, without the characters of an address.
# Caching does not help here, because each reply to a final dot contains its message's queue id.
PLAIN = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3}) ((?:[!-$&-?A-~]+ )*[!-$&-?A-~]+)")

BAD_SENDER = Reply(None, "5.1.7", "the sender's address cannot be written into an envelope")
BAD_RECIPIENT = Reply(None, "5.1.3", "this address cannot be written into an envelope")
NOT_ASCII = Reply(None, "5.6.7", "the relay takes no address outside ASCII (RFC 6531)")


def parse(code: int, text: bytes, *, hide: Callable[[str], str] = lambda text: text) -> Reply:
    """Return a received reply with its lines joined, and every address and link token in it replaced.

    `hide` replaces what else must not be stored: the relay's credentials.
    """
    if (plain := PLAIN.fullmatch(text)) and len(text) <= STORED_CHARACTERS and 200 <= code <= 599 and b"/" not in text:
        return Reply(code, plain[1].decode(), hide(plain[2].decode())[:STORED_CHARACTERS])
    lines = text.decode("utf-8", "replace")[:PARSED_CHARACTERS].split("\n")
    status = ENHANCED.match(lines[0])
    joined = on_one_line(" ".join(ENHANCED.sub("", line, count=1) if status else line for line in lines))
    return Reply(
        code if 200 <= code <= 599 else None,
        status[0].strip() if status else None,
        redaction.scrub(hide(joined))[:STORED_CHARACTERS],
    )


def from_row(code: int | None, text: str | None) -> Reply:
    """Return a reply as a delivery's row stores it: with its status before its text."""
    status = ENHANCED.match(text or "")
    return Reply(code, status[0].strip() if status else None, (text or "")[status.end() if status else 0 :])


def from_error(error: Exception) -> Reply:
    """Return our own description of why the server sent no reply."""
    reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return Reply(None, None, redaction.scrub(on_one_line(reason))[:STORED_CHARACTERS])


def without_name(reply: Reply, address: str) -> Reply:
    """Return the reply without its recipient's local part, which servers quote without the domain.

    Local parts shorter than three characters stay, because they are ordinary words; a tag after a + goes with the name.
    """
    local = address.rpartition("@")[0]
    name = local.partition("+")[0]
    if len(name) < SHORTEST_NAME or name.lower() not in reply.text.lower():
        return reply
    whole = re.compile(rf"(?<!\w)(?:{re.escape(local)}|{re.escape(name)})(?!\w)", re.IGNORECASE)
    return reply._replace(text=whole.sub("<address>", reply.text))


def is_positive(reply: Reply) -> bool:
    """Return whether it is a "positive completion reply" (RFC 5321 section 4.2.1)."""
    return reply.code is not None and 200 <= reply.code < 300


def refusal_outcome(reply: Reply) -> Outcome:
    """Return the outcome of a refusal after MAIL: REFUSED only if it is permanent and about the recipient, else LATER.

    A 5xx does not invite another attempt; `retries` decides what LATER means after one.
    """
    is_permanent = reply.code is not None and reply.code >= 500
    is_refused = is_permanent and refusal_cause(reply) is RefusalCause.RECIPIENT_PERMANENT
    return Outcome.REFUSED if is_refused else Outcome.LATER


def refusal_cause(reply: Reply) -> RefusalCause:
    """Return what a refusal is about: by its enhanced status (RFC 3463, 7504, 7505), else by its code and text.

    An ambiguous reply is not blamed on the recipient, because a recipient wrongly blamed is never written to again.
    """
    text = reply.text.lower()
    status = reply.status or _status_in_text(reply.text)
    topic = status.partition(".")[2] if status else "0.0"
    if GREYLISTED.search(text):
        return RefusalCause.RECIPIENT_TRANSIENT
    if reply.code is not None and reply.code < 500:
        is_slowed = reply.code == 421 or topic.startswith("7.") or (not status and SLOW.search(text))
        return RefusalCause.POLICY if is_slowed else RefusalCause.RECIPIENT_TRANSIENT
    if BLOCKLISTED.search(text):
        return RefusalCause.POLICY
    if RECIPIENT_RATE.search(text):
        return RefusalCause.RECIPIENT_TRANSIENT
    if topic.startswith("0.") or topic in VAGUE_STATUSES:
        return _cause_by_text(reply.code, text)
    return CAUSE_BY_STATUS.get(topic) or CAUSE_BY_STATUS.get(topic.partition(".")[0], RefusalCause.POLICY)


def _status_in_text(text: str) -> str | None:
    """Return the status in the notation that predates RFC 2034: qmail's "(#5.1.1)" or IronPort's "#5.1.0"."""
    found = HASH_STATUS.search(text)
    return found[1] if found else None


def _cause_by_text(code: int | None, text: str) -> RefusalCause:
    """Return what a refusal without an enhanced status code is about."""
    if code is None or FULL.search(text):  # None: our own description of a lost connection
        return RefusalCause.RECIPIENT_TRANSIENT
    if AGAINST_US.search(text) or (code == 552 and TOO_BIG.search(text)):
        return RefusalCause.POLICY
    if code == 552:
        return RefusalCause.RECIPIENT_TRANSIENT
    is_about_recipient = code in (550, 551, 553, 556) or (code == 554 and RECIPIENT.search(text))
    return RefusalCause.RECIPIENT_PERMANENT if is_about_recipient else RefusalCause.POLICY


def envelope_refusal(message: Message) -> tuple[Outcome, Reply] | None:
    """Return why an envelope must not be sent, or None. A line break in an address would be a command of its own."""
    if not ENVELOPE.fullmatch(message.recipient):
        return Outcome.REFUSED, BAD_RECIPIENT
    if not (message.sender.isascii() and ENVELOPE.fullmatch(message.sender)):
        return Outcome.LATER, BAD_SENDER
    return None
