"""The envelope of a message: its MAIL and RCPT commands, with the parameters that the relay supports."""

import re

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.dot_stuffing import Content
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.transport import Message, Outcome, Reply

NOT_XCHAR = re.compile(rb"[^!-*,-<>-~]")  # RFC 3461 section 4


def refusal(message: Message, extensions: Extensions) -> tuple[Outcome, Reply] | None:
    """Return why the message must not be offered to this relay; None if it may."""
    if invalid := replies.envelope_refusal(message):
        return invalid
    if message.recipient.isascii() or extensions.utf8:
        return None
    return Outcome.REFUSED, replies.NOT_ASCII


def commands(message: Message, content: Content, extensions: Extensions) -> list[bytes]:
    """Return the commands MAIL, RCPT and DATA."""
    recipient = message.recipient
    mail_parameters = f" SIZE={content.size}" if extensions.size else ""
    if not recipient.isascii():
        mail_parameters += " BODY=8BITMIME SMTPUTF8"  # RFC 6531 section 3.4
    elif extensions.eight_bits and not content.is_ascii:
        mail_parameters += " BODY=8BITMIME"
    rcpt_parameters = ""
    if extensions.dsn:
        # A notification names the delivery, contains only the letter's header, and is sent for a failure, not a delay.
        mail_parameters += f" RET=HDRS ENVID={message.delivery}"
        rcpt_parameters = f" NOTIFY=FAILURE{_original_recipient(recipient)}"
    return [
        f"MAIL FROM:<{message.sender}>{mail_parameters}\r\n".encode(),
        f"RCPT TO:<{recipient}>{rcpt_parameters}\r\n".encode(),
        b"DATA\r\n",
    ]


def _original_recipient(recipient: str) -> str:
    """Return ORCPT, the address in xtext (RFC 3461 section 4); empty if it would need RFC 6533's own address type."""
    if not recipient.isascii():
        return ""
    xtext = NOT_XCHAR.sub(lambda found: b"+%02X" % ord(found[0]), recipient.encode())
    return f" ORCPT=rfc822;{xtext.decode()}"
