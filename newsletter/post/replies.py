"""What a mail server's reply means for a letter: whether it is about the reader, about us, or about now."""

import re

from newsletter import addresses
from newsletter.post.mime import folded
from newsletter.post.postman import Fate, Parcel, Reply

ENHANCED = re.compile(r"[245]\.(?P<cause>\d{1,3}\.\d{1,3})(?:\s+|$)")  # RFC 3463, at the start of each line (RFC 2034)
ENVELOPE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>\ud800-\udfff]+")
HEARD, KEPT = 2000, 400  # characters of a reply that are looked at, and that are kept

BAD_SENDER = Reply(None, "5.1.7", "the sender's address cannot be written into an envelope")
BAD_RECIPIENT = Reply(None, "5.1.3", "this address cannot be written into an envelope")
NOT_ASCII = Reply(None, "5.6.7", "the relay takes no address outside ASCII (RFC 6531)")


def heard(code: int, text: bytes) -> Reply:
    """A reply as it came, its lines joined, and every address in it replaced."""
    lines = text.decode("utf-8", "replace")[:HEARD].split("\n")
    found = ENHANCED.match(lines[0])
    words = folded(" ".join(ENHANCED.sub("", line, count=1) if found else line for line in lines))
    return Reply(
        code if 200 <= code <= 599 else None,
        found[0].strip() if found else None,
        addresses.hidden(words)[:KEPT],
    )


def ours(error: Exception) -> Reply:
    """Our own account of why the server said nothing."""
    reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return Reply(None, None, addresses.hidden(folded(reason))[:KEPT])


def verdict(reply: Reply) -> Fate:
    """What a refusal after MAIL means: REFUSED only where the recipient is at fault, for good.

    The code's class decides about trying again, the enhanced status about the cause (RFC 3463 section 2). A full
    mailbox and a broken route pass; and what is held against the sender, the content or the relay itself is not the
    reader's: it is LATER, and somebody has to mend it.
    """
    if reply.code is None or reply.code < 500:
        return Fate.LATER
    cause = reply.status.partition(".")[2] if reply.status else "0.0"
    if cause.startswith("0."):  # the server does not say
        return Fate.REFUSED if reply.code in (550, 551, 553, 554, 556) else Fate.LATER
    about_mailbox = cause.startswith(("1.", "2.")) and cause not in ("1.7", "1.8", "2.2")
    return Fate.REFUSED if about_mailbox or cause == "6.7" else Fate.LATER


def unfit(parcel: Parcel) -> tuple[Fate, Reply] | None:
    """What is wrong with an envelope before anybody is asked: a line break in it would be a command of its own."""
    if not ENVELOPE.fullmatch(parcel.recipient):
        return Fate.REFUSED, BAD_RECIPIENT
    if not (parcel.sender.isascii() and ENVELOPE.fullmatch(parcel.sender)):
        return Fate.LATER, BAD_SENDER
    return None
