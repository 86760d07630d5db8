"""Opening: from the relay's greeting to where letters may begin. It knows no socket: commands out, replies in."""

import base64
from collections.abc import Generator
from enum import Enum, auto

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.reply_reader import NONSENSE, ParsedReply
from newsletter.mail.transport.smtp.unavailable import UnavailableError, refused
from newsletter.relays import Relay


class HandshakeStep(Enum):
    """What the opening needs that is no command."""

    REPLY = auto()  # the relay speaks first
    TLS = auto()  # from here on everything is encrypted


Handshake = Generator[bytes | HandshakeStep, ParsedReply | None, Extensions]


def handshake(relay: Relay, *, ehlo_name: str) -> Handshake:
    """The dialogue: yields what to say or what is needed, is sent the reply, returns what is offered.

    Raises ShutOutError. No password goes over the wire in the clear: with one, TLS is a must (RFC 8314 section 4.1).
    """
    _yes((yield HandshakeStep.REPLY), "the relay does not let us in")
    offers = yield from _hello(ehlo_name)
    if relay.scheme == "smtp" and (relay.user or offers.starttls):
        if not offers.starttls:
            raise UnavailableError(
                "the relay offers no STARTTLS, and a password never travels in the clear", lasting=True
            )
        _yes((yield b"STARTTLS\r\n"), "the relay cannot encrypt")
        yield HandshakeStep.TLS
        # What was said in the clear may have been anybody's words (RFC 3207 section 4.2).
        offers = yield from _hello(ehlo_name)
    if relay.user and relay.password:
        yield from _log_in(relay.user, relay.password, offers)
    return offers


def _hello(name: str) -> Handshake:
    heard = yield f"EHLO {name}\r\n".encode()
    if heard and heard.reply.code in (500, 501, 502, 504, 550):  # RFC 5321 section 3.2: it may know only HELO
        _yes((yield f"HELO {name}\r\n".encode()), "the relay refuses our greeting")
        return Extensions()
    return Extensions.read(_yes(heard, "the relay refuses our greeting").lines)


def _log_in(user: str, password: str, offers: Extensions) -> Generator[bytes | HandshakeStep, ParsedReply | None, None]:
    """RFC 4954, with RFC 4616's PLAIN or what Microsoft's servers call LOGIN."""
    if "PLAIN" in offers.logins:
        answer = yield b"AUTH PLAIN %b\r\n" % base64.b64encode(f"\0{user}\0{password}".encode())
    elif "LOGIN" in offers.logins:
        answer = yield b"AUTH LOGIN\r\n"
        for word in (user, password):
            if answer and answer.reply.code == 334:
                answer = yield b"%b\r\n" % base64.b64encode(word.encode())
    else:
        raise UnavailableError("the relay offers no login by password (AUTH PLAIN or LOGIN)", lasting=True)
    _yes(answer, "the relay refuses our login")


def _yes(heard: ParsedReply | None, otherwise: str) -> ParsedReply:
    reply = heard.reply if heard else NONSENSE.reply
    if not heard or not replies.is_yes(reply):
        raise refused(otherwise, reply)
    return heard
