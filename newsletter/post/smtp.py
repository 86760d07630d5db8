"""The SMTP postman: a plain dialogue with one relay, letter after letter."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from newsletter.doorbell import QUIET
from newsletter.post import pace
from newsletter.post.dialogue import Dialogue, NoConnectionError, Patience, connect
from newsletter.post.postman import Fate, Parcel, Reply, Report, Trouble, clock
from newsletter.relays import Relay

log = logging.getLogger(__name__)


class SmtpPostman:
    """A Postman who takes letters to one relay, at most as fast as the relay's rate allows.

    Where the relay cannot be reached, the letter in hand is LATER, and no other is pulled. So it is when a connection
    ends before a single letter was decided over it: a relay in trouble is not knocked at again for each letter.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        ehlo_name: str,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = clock,
    ) -> None:
        self._relay = relay
        self._ehlo_name = ehlo_name
        self._tls = tls or trust(relay)
        self._patience = patience or Patience()
        self._clock = clock
        self._pace = pace.Steady(relay.rate)
        self._complained_at = -float("inf")

    def carry(self, parcels: Iterator[Parcel], report: Callable[[Report], None], *, stop: Callable[[], bool]) -> None:
        """Carry letters as the Postman contract says."""
        dialogue = None
        try:
            while pace.wait(self._pace, stop) and (parcel := next(parcels, None)):
                try:
                    dialogue = dialogue or self._connect()
                except NoConnectionError as error:
                    self._complain(error)
                    report(self._report(parcel, Fate.LATER, error.reply))
                    return
                report(self._report(parcel, *self._deliver(dialogue, parcel)))
                if dialogue.is_over:
                    if not dialogue.decided:
                        return
                    dialogue = None
        finally:
            if dialogue:
                dialogue.close()

    def trouble(self) -> Trouble | None:
        """Not known: each ring tries again."""
        return None

    def close(self) -> None:
        """Nothing is kept open between two carries."""

    def _complain(self, error: NoConnectionError) -> None:
        """Tell the operator, once a minute: until this is mended no letter leaves."""
        if time.monotonic() - self._complained_at >= QUIET:
            self._complained_at = time.monotonic()
            log.warning(
                "the relay cannot be used: %s", error, extra={"relay": f"{self._relay.host}:{self._relay.port}"}
            )

    def _connect(self) -> Dialogue:
        return connect(self._relay, ehlo_name=self._ehlo_name, tls=self._tls, patience=self._patience)

    def _deliver(self, dialogue: Dialogue, parcel: Parcel) -> tuple[Fate, Reply | None]:
        self._pace.begun()
        return dialogue.deliver(parcel)

    def _report(self, parcel: Parcel, fate: Fate, reply: Reply | None) -> Report:
        return Report(parcel.delivery, parcel.attempt, fate, reply, self._clock())


def trust(relay: Relay) -> ssl.SSLContext:
    """How a relay proves who it is: by a certificate for its name (RFC 8314 section 4.4), but not on this machine.

    What is sent to a loopback address never leaves the machine, so nobody can stand between. A certificate would prove
    nothing there, and Debian's Postfix offers STARTTLS with one that it has signed itself: every letter would wait for
    ever. Anywhere else an unproved certificate is as good as none (RFC 3207 section 6).
    """
    context = ssl.create_default_context()
    if relay.is_on_this_machine:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
