"""Claim, send and record due letters for a few seconds: a send run.

claim     what is due, with consent joined in      one transaction, while the previous batch is being sent
  -> send      over the transport's connections    no transaction is open
    -> record       the result of each attempt     group commits on a thread of its own
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from newsletter.keys import Keyring
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.issue_pauses import RefusalMonitor
from newsletter.mail.delivery.leases import Heartbeat
from newsletter.mail.delivery.prefetch import Lane, Prefetch
from newsletter.mail.delivery.priority import UrgentPriority
from newsletter.mail.delivery.recording import GroupCommit
from newsletter.mail.delivery.send_run import SendRun
from newsletter.mail.transport.transport import Transport
from newsletter.store.database import Autocommit, Begin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatcher:
    """A process's database, transports and assembler, as its send runs use them."""

    begin: Begin
    transport: Transport
    assembler: Assembler
    keyring: Keyring
    heartbeat: Heartbeat
    clock: Callable[[], datetime]
    autocommit: Autocommit | None = None  # records letters that were taken; None: in transactions, like all else
    urgent_transport: Transport | None = None  # for urgent letters, over connections of its own; None: `transport`
    monotonic: Callable[[], float] = time.monotonic
    stop: Event = field(default_factory=Event)
    priority: UrgentPriority = field(default_factory=UrgentPriority)  # of urgent letters over issues
    # Called once in a run of issues' letters if more is due than one claim takes, so that idle workers join in. It must
    # not block.
    on_more_due: Callable[[], None] = lambda: None
    _lanes: dict[bool, Lane] = field(default_factory=dict, init=False, repr=False)

    def send_due(self, *, urgent: bool, until: float, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Send what is due until nothing is or the monotonic clock passes `until`; return the number of results.

        If a letter is under way by then (a relay may take ten minutes to reply), the run goes on beside it and calls
        `meanwhile` for the queue's other jobs, in this thread. Once `stop` is set, no further letter begins.
        """
        transport = (urgent and self.urgent_transport) or self.transport
        worker = self.heartbeat.worker(now=self.clock())
        monitor = None if urgent else RefusalMonitor(self.begin, clock=self.clock, monotonic=self.monotonic)
        with GroupCommit(
            self.begin, worker, clock=self.clock, autocommit=self.autocommit, monitor=monitor
        ) as recording:
            lane = self.lane(urgent=urgent)
            run = SendRun(
                lane=lane,
                prefetch=Prefetch(self.begin, lane, worker, key=self.keyring.newest, clock=self.clock, until=until),
                recording=recording,
                assembler=self.assembler,
                priority=self.priority,
                monitor=monitor,
                clock=self.clock,
                until=until,
                stop=self.stop,
                meanwhile=meanwhile,
                on_more_due=self.on_more_due,
            )
            try:
                transport.send(run.messages(), run.on_result, stop=run.is_over)
            finally:
                run.close()
                if urgent:
                    self.priority.release()
        if recording.outcomes:
            log.info("letters sent", extra={"urgent": urgent, **recording.outcomes})
        return recording.recorded

    def lane(self, *, urgent: bool) -> Lane:
        """Return what this process remembers of urgent or of bulk letters; only one run may use it at a time."""
        return self._lanes.setdefault(urgent, Lane(urgent, self.monotonic))
