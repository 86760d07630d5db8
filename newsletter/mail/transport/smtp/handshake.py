"""The handshake: from the relay's greeting to the first message. It knows no socket: replies in, commands out."""

import base64
from collections.abc import Generator
from enum import Enum, auto

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp import credentials
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.reply_reader import INVALID, ParsedReply, ReplyReader
from newsletter.mail.transport.smtp.unavailable import UnavailableError, from_reply
from newsletter.relays import Relay


class HandshakeStep(Enum):
    """What the handshake needs other than a command."""

    GREETING = auto()  # the relay speaks first
    TLS = auto()  # from here on everything is encrypted


HandshakeDialogue = Generator[bytes | HandshakeStep, ParsedReply | None, Extensions]


class Handshake:
    """The handshake of one connection. `step` is what to do next, until `extensions` are known.

    Without TLS nothing follows the relay's greeting and its extensions, unless the relay's URL or its place on this
    machine allow it: no letter where TLS is required, and no password in the clear (RFC 8314 section 4.1).
    """

    def __init__(self, relay: Relay, *, ehlo_name: str) -> None:
        self._hide = credentials.hider(relay)
        self.reader = ReplyReader(self._hide)
        self.extensions: Extensions | None = None  # set when messages may begin
        self._dialogue = _dialogue(relay, ehlo_name=ehlo_name)
        self.step = next(self._dialogue)

    def receive(self, data: bytes) -> bool:
        """Read what the relay sent; return whether a reply is complete, so that `step` or `extensions` are new.

        Raises UnavailableError if the relay refuses.
        """
        received = self.reader.feed(data)
        # An unsolicited reply may come from an attacker in between; after encryption it would count as the relay's
        # (RFC 3207 section 4.2, CVE-2011-0411).
        if self.step is HandshakeStep.TLS or len(received) > 1 or (received and not self.reader.is_empty):
            raise UnavailableError("the relay speaks before it is asked")
        if received:
            self._advance(received[0])
        return bool(received)

    def encrypted(self) -> None:
        """Continue over an encrypted connection."""
        self.reader = ReplyReader(self._hide)
        self._advance(None)

    def _advance(self, reply: ParsedReply | None) -> None:
        try:
            self.step = self._dialogue.send(reply)
        except StopIteration as done:
            self.extensions = done.value


def _dialogue(relay: Relay, *, ehlo_name: str) -> HandshakeDialogue:
    _require_positive((yield HandshakeStep.GREETING), "the relay does not let us in")
    extensions = yield from _hello(ehlo_name)
    if relay.scheme == "smtp" and not extensions.starttls:
        _check_cleartext(relay)
    elif relay.scheme == "smtp":
        _require_positive((yield b"STARTTLS\r\n"), "the relay cannot encrypt")
        yield HandshakeStep.TLS
        # What was received in the clear may have come from an attacker (RFC 3207 section 4.2).
        extensions = yield from _hello(ehlo_name)
    if relay.user and relay.password:
        yield from _log_in(relay.user, relay.password, extensions)
    return extensions


def _check_cleartext(relay: Relay) -> None:
    """Raise UnavailableError unless letters, and the password if there is one, may be sent without TLS."""
    is_password_exposed = relay.user is not None and not relay.may_log_in_without_tls
    if relay.requires_tls:
        danger = "letters to it could be read on the way"
        options = "the options tls=optional and login=cleartext" if is_password_exposed else "the option tls=optional"
    elif is_password_exposed:
        danger, options = "the password would be sent in the clear", "the option login=cleartext"
    else:
        return
    raise UnavailableError(
        f"the relay offers no STARTTLS, so {danger}. Use a relay with TLS, or accept the danger with {options} "
        "in NEWSLETTER_SMTP_URL",
        lasting=True,
    )


def _hello(name: str) -> HandshakeDialogue:
    received = yield f"EHLO {name}\r\n".encode()
    if received and received.reply.code in (500, 501, 502, 504, 550):  # RFC 5321 section 3.2: it may know only HELO
        _require_positive((yield f"HELO {name}\r\n".encode()), "the relay refuses our greeting")
        return Extensions()
    return Extensions.read(_require_positive(received, "the relay refuses our greeting").lines)


def _log_in(
    user: str, password: str, extensions: Extensions
) -> Generator[bytes | HandshakeStep, ParsedReply | None, None]:
    """Authenticate (RFC 4954) with RFC 4616's PLAIN, or with LOGIN as Microsoft's servers know it."""
    if "PLAIN" in extensions.logins:
        received = yield b"AUTH PLAIN %b\r\n" % base64.b64encode(f"\0{user}\0{password}".encode())
    elif "LOGIN" in extensions.logins:
        received = yield b"AUTH LOGIN\r\n"
        for credential in (user, password):
            if received and received.reply.code == 334:
                received = yield b"%b\r\n" % base64.b64encode(credential.encode())
    else:
        raise UnavailableError("the relay offers no login by password (AUTH PLAIN or LOGIN)", lasting=True)
    _require_positive(received, "the relay refuses our login")


def _require_positive(received: ParsedReply | None, problem: str) -> ParsedReply:
    reply = received.reply if received else INVALID.reply
    if not received or not replies.is_positive(reply):
        raise from_reply(problem, reply)
    return received
