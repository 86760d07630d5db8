"""Envelopes: MAIL and RCPT of a letter, with what the relay offers to be told."""

import re

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.dot_stuffing import Content
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.transport import Message, Outcome, Reply

NOT_PLAIN = re.compile(rb"[^!-*,-<>-~]")


def unfit(message: Message, offers: Extensions) -> tuple[Outcome, Reply] | None:
    """Why this relay is not even asked to take it."""
    if refusal := replies.unfit(message):
        return refusal
    if message.recipient.isascii() or offers.utf8:
        return None
    return Outcome.REFUSED, replies.NOT_ASCII


def commands(message: Message, content: Content, offers: Extensions) -> list[bytes]:
    """MAIL, RCPT and DATA."""
    recipient = message.recipient
    options = f" SIZE={content.size}" if offers.size else ""
    if not recipient.isascii():
        options += " BODY=8BITMIME SMTPUTF8"  # RFC 6531 section 3.4
    elif offers.eight_bits and not content.is_ascii:
        options += " BODY=8BITMIME"
    wishes = ""
    if offers.dsn:
        # What comes back names the delivery, has the letter's header only, and comes when it failed, not when it waits.
        options += f" RET=HDRS ENVID={message.delivery}"
        wishes = f" NOTIFY=FAILURE{_original(recipient)}"
    return [
        f"MAIL FROM:<{message.sender}>{options}\r\n".encode(),
        f"RCPT TO:<{recipient}>{wishes}\r\n".encode(),
        b"DATA\r\n",
    ]


def _original(recipient: str) -> str:
    """ORCPT: the address as we know it, in xtext (RFC 3461 section 4); not where it would need RFC 6533's own kind."""
    if not recipient.isascii():
        return ""
    xtext = NOT_PLAIN.sub(lambda found: b"+%02X" % ord(found[0]), recipient.encode())
    return f" ORCPT=rfc822;{xtext.decode()}"
