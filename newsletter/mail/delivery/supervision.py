"""Report what is wrong with relays and what they offer; pause all issues while none can be used without a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from newsletter.mail.delivery import issue_pauses
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.mail.pace.pace import SharedPace
from newsletter.mail.pace.shared_state import SharedState
from newsletter.mail.transport.relay_capabilities import CapabilityWriter
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.transport import Transport, TransportProblem
from newsletter.relays import Relay
from newsletter.store.database import Begin


class Supervisor:
    """One process's view of its relays: the transports record results in its paces; `supervise` acts on problems."""

    def __init__(self, shared_state: SharedState, begin: Begin) -> None:
        self._shared_state = shared_state
        self._begin = begin
        self._notices = NoticeWriter(begin)
        self._capabilities = CapabilityWriter(begin)
        self._paces: list[SharedPace] = []

    def pace(self, relay: Relay) -> SharedPace:
        """Return the pace at which issues are sent over a relay."""
        pace = SharedPace(self._shared_state, relay)
        self._paces.append(pace)
        return pace

    def urgent_pace(self, relay: Relay) -> SharedPace:
        """Return the pace of letters that a person waits for."""
        return SharedPace(self._shared_state, relay, urgent=True)

    def relay_opened(self, relay: Relay, extensions: Extensions) -> None:
        """Note what a relay offers on a new connection; `supervise` writes it. Callable from any thread."""
        self._capabilities.relay_opened(relay, extensions)

    def supervise(self, transport: Transport, *, urgent: Transport | None = None, now: datetime) -> None:
        """Act on problems of the transport of issues; report those of the transport of urgent letters as well."""
        self._capabilities.write(now=now)
        others = [problem for each in (urgent, transport) if each for problem in each.problems()]
        self.handle_problem(transport.blocking_problem(), now=now, others=others)

    def handle_problem(
        self, problem: TransportProblem | None, *, now: datetime, others: Sequence[TransportProblem] = ()
    ) -> None:
        """Write notices about relays, and pause all issues if a lasting problem prevents every one from being sent.

        `problem` is why no issue's letter can be sent; `others` only become notices. No letter fails or is deferred: no
        transport takes a letter while its relays cannot be used.
        """
        if problem and problem.lasting:
            reason = f"{problem.place[:1].upper()}{problem.place[1:]} cannot be used: {problem.reason}"
            with self._begin() as session:
                issue_pauses.pause_all(session, reason=reason, now=now)
        self._notices.write(self._conditions([*others, *([problem] if problem else ())], now), now=now)

    def close(self) -> None:
        """Take this process out of the shared state: the others share its part of each rate."""
        self._shared_state.close()

    def _conditions(self, problems: Sequence[TransportProblem], now: datetime) -> dict[str, Condition]:
        conditions = {}
        for pace in self._paces:
            if slowdown := pace.slowdown():
                reason, seconds = slowdown
                until = now + timedelta(seconds=round(seconds)) if seconds else None
                conditions[f"the relay {pace.place}"] = Condition(reason, halted=until is not None, until=until)
        for problem in problems:
            conditions[problem.place] = Condition(problem.reason, lasting=problem.lasting)
        return conditions
