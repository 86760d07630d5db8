"""Whether a relay can be used, why not, and when it is tried again."""

import logging
import math
import time

from newsletter.mail.transport.transport import TransportProblem
from newsletter.redaction import WARNING_INTERVAL
from newsletter.relays import Relay

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 1.0, 60.0  # until a relay that cannot be used is tried again; doubling
LASTING_SECONDS = 600.0  # without a letter taken, after which a problem no longer counts as passing

log = logging.getLogger(__name__)


class RelayHealth:
    """The problem of one relay, with an exponential back-off. Times are of the monotonic clock."""

    def __init__(self, relay: Relay) -> None:
        self._place = relay.endpoint
        self._problem: TransportProblem | None = None
        self._since = 0.0
        self._retry_seconds = 0.0
        self._retry_at = -math.inf
        self._logged_at = -math.inf

    @property
    def problem(self) -> TransportProblem | None:
        """Why the relay cannot be used; None if nothing is known against it."""
        if self._problem and time.monotonic() - self._since >= LASTING_SECONDS:
            return self._problem._replace(lasting=True)
        return self._problem

    def may_connect(self, now: float) -> bool:
        """Return whether a connection may be tried."""
        return now >= self._retry_at

    def record_failure(self, reason: str, now: float, *, lasting: bool) -> None:
        """Record that the relay could not be used, log it at most once a minute, and back off."""
        if not self.may_connect(now):
            return  # the same problem, seen on another connection
        self._since = self._since if self._problem else now
        self._retry_seconds = min(self._retry_seconds * 2 or FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        self._retry_at = now + self._retry_seconds
        self._problem = TransportProblem(f"the relay {self._place}", reason, lasting)
        if now - self._logged_at >= WARNING_INTERVAL:
            self._logged_at = now
            log.warning("the relay cannot be used: %s", reason, extra={"relay": self._place})

    def record_success(self) -> None:
        """Record that the relay can be used."""
        self._problem, self._retry_seconds, self._retry_at = None, 0.0, -math.inf
