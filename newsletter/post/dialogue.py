"""A dialogue with a relay: one connection, over which letters go one after another (RFC 5321 section 3.3)."""

import smtplib
import ssl
import time
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import NamedTuple, Never

from newsletter.post import replies
from newsletter.post.postman import Fate, Parcel, Reply
from newsletter.relays import Relay

REFUSALS = 8  # relays hang up after ten in a row; we leave before, so that their 421 stays a true "slow down"


class Patience(NamedTuple):
    """Seconds to wait for the relay (RFC 5321 section 4.5.3.2)."""

    connect: float = 30
    command: float = 300
    verdict: float = 600  # after the end of data: who hangs up earlier makes letters arrive twice


class NoConnectionError(Exception):
    """The relay cannot be reached, or does not let us in; its reply says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class Stage(Enum):
    """How far a letter has got."""

    UNHEARD = auto()  # the relay does not know of it
    BEGUN = auto()
    SENT = auto()  # the final dot is written; who hears no answer cannot know


class Dialogue:
    """An open connection, until `is_over`."""

    def __init__(self, client: smtplib.SMTP, patience: Patience) -> None:
        self.decided = 0  # letters that the relay decided about, and stayed
        self._client = client
        self._client.command_encoding = "utf-8"  # only a recipient outside ASCII needs it, and gets it with SMTPUTF8
        self._patience = patience
        self._stage = Stage.UNHEARD
        self._is_dirty = False
        self._refusals = 0
        if client.sock:
            # Or the last packet of each letter waits until the relay has acknowledged those before it.
            client.sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._wait(patience.command)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended, by whomever."""
        return self._client.sock is None

    def deliver(self, parcel: Parcel) -> tuple[Fate, Reply | None]:
        """Take one letter to the relay. Never raises for it."""
        self._stage = Stage.UNHEARD
        try:
            fate, reply = self._transact(parcel)
        except OSError as error:  # smtplib's are, too
            self._client.close()
            return self._lost(), replies.ours(error)
        if self._stage is not Stage.UNHEARD and not self.is_over:
            self.decided += 1
            self._refusals = 0 if fate is Fate.TAKEN else self._refusals + 1
            if self._refusals == REFUSALS:
                self.close()
        return fate, reply

    def close(self) -> None:
        """Say good-bye, if anybody is listening."""
        with suppress(OSError):
            if not self.is_over:
                self._wait(self._patience.connect)
                self._client.quit()
        self._client.close()

    def _lost(self) -> Fate:
        if self._stage is Stage.SENT:
            return Fate.IN_DOUBT
        # Relays close idle connections, and those with many letters behind them: that is not about this one.
        return Fate.UNTOUCHED if self._stage is Stage.UNHEARD and self.decided else Fate.LATER

    def _transact(self, parcel: Parcel) -> tuple[Fate, Reply | None]:
        if refusal := replies.unfit(parcel) or self._unspeakable(parcel):
            return refusal
        # A refused MAIL, RCPT or DATA leaves the transaction open, and the next letter would leave under its sender.
        if self._is_dirty and self._say("RSET").code != 250:
            self._hang_up("the relay did not forget the last letter")
        if time.monotonic() > parcel.begin_by:
            return Fate.UNTOUCHED, None
        return self._envelope(parcel) or self._content(b"".join(parcel.body))

    def _unspeakable(self, parcel: Parcel) -> tuple[Fate, Reply] | None:
        if parcel.recipient.isascii() or self._client.has_extn("smtputf8"):
            return None
        return Fate.REFUSED, replies.NOT_ASCII

    def _envelope(self, parcel: Parcel) -> tuple[Fate, Reply] | None:
        mail = self._say(f"MAIL FROM:<{parcel.sender}>{self._options(parcel)}")
        if mail.code == 503:  # we are out of step with the relay; the letter has nothing to do with it
            self.close()
            return Fate.UNTOUCHED, mail
        self._is_dirty = True
        self._stage = Stage.BEGUN
        if not _is_yes(mail):
            return Fate.LATER, mail  # nobody has heard of the reader yet
        recipient = self._say(f"RCPT TO:<{parcel.recipient}>")
        if not _is_yes(recipient):
            return replies.verdict(recipient), recipient
        data = self._say("DATA")
        return None if data.code == 354 else (replies.verdict(data), data)

    def _content(self, body: bytes) -> tuple[Fate, Reply]:
        stuffed = body.replace(b"\n.", b"\n..")  # RFC 5321 section 4.5.2
        opening = b"." if body.startswith(b".") else b""
        ending = b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"
        # In one piece: where sending fails, the dot at its end has not left, and there is no doubt.
        self._client.send(opening + stuffed + ending)
        self._stage = Stage.SENT
        self._wait(self._patience.verdict)
        reply = self._hear(*self._client.getreply())
        if not self.is_over:
            self._wait(self._patience.command)
        self._is_dirty = not _is_yes(reply)
        return Fate.TAKEN if _is_yes(reply) else replies.verdict(reply), reply

    def _options(self, parcel: Parcel) -> str:
        options = f" SIZE={sum(map(len, parcel.body))}" if self._client.has_extn("size") else ""  # RFC 1870
        return options if parcel.recipient.isascii() else f"{options} BODY=8BITMIME SMTPUTF8"  # RFC 6531 section 3.4

    def _say(self, command: str) -> Reply:
        return self._hear(*self._client.docmd(command))

    def _hear(self, code: int, text: bytes) -> Reply:
        if not 200 <= code <= 599:
            self._hang_up("the relay's reply is none")
        if code == 421:  # RFC 5321 section 3.8: the relay closes, whatever it was asked
            self._client.close()
        return replies.heard(code, text)

    def _hang_up(self, why: str) -> Never:
        self._client.close()
        raise smtplib.SMTPServerDisconnected(why)

    def _wait(self, seconds: float) -> None:
        if self._client.sock:
            self._client.sock.settimeout(seconds)


def connect(relay: Relay, *, ehlo_name: str, tls: ssl.SSLContext, patience: Patience) -> Dialogue:
    """Open a connection, encrypt it and log in. Raises NoConnectionError, whatever the reason."""
    try:
        client = _client(relay, ehlo_name, tls, patience)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
        raise NoConnectionError(replies.heard(error.smtp_code, text)) from error
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be encoded
        raise NoConnectionError(replies.ours(error)) from error
    return Dialogue(client, patience)


def _client(relay: Relay, ehlo_name: str, tls: ssl.SSLContext, patience: Patience) -> smtplib.SMTP:
    smtp = smtplib.SMTP if relay.scheme == "smtp" else partial(smtplib.SMTP_SSL, context=tls)
    client = smtp(relay.host, relay.port, ehlo_name, timeout=patience.connect)
    try:
        client.ehlo_or_helo_if_needed()
        if relay.scheme == "smtp" and (relay.user or client.has_extn("starttls")):
            client.starttls(context=tls)  # raises where it is not offered: no password goes over the wire in the clear
            client.ehlo_or_helo_if_needed()
        if relay.user and relay.password:
            client.login(relay.user, relay.password)
    except BaseException:
        client.close()
        raise
    return client


def _is_yes(reply: Reply) -> bool:
    return reply.code is not None and 200 <= reply.code < 300
