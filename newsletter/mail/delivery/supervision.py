"""Say what is wrong with relays, and pause all issues where a relay cannot be used before somebody mends it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from newsletter.mail.delivery import issue_pauses
from newsletter.mail.pace.notices import Condition, NoticeWriter
from newsletter.mail.pace.pace import SharedPace
from newsletter.mail.pace.shared_state import SharedState
from newsletter.mail.transport.transport import Transport, TransportProblem
from newsletter.relays import Relay
from newsletter.store.database import Begin


class Supervisor:
    """One process's view of its relays. Its paces are told by who carries; `act` draws the conclusions."""

    def __init__(self, board: SharedState, begin: Begin) -> None:
        self._board = board
        self._begin = begin
        self._crier = NoticeWriter(begin)
        self._paces: list[SharedPace] = []

    def pace(self, relay: Relay) -> SharedPace:
        """The pace at which issues leave over a relay."""
        pace = SharedPace(self._board, relay)
        self._paces.append(pace)
        return pace

    def urgent_pace(self, relay: Relay) -> SharedPace:
        """The pace of letters that somebody waits for."""
        return SharedPace(self._board, relay, urgent=True)

    def supervise(self, transport: Transport, *, express: Transport | None = None, now: datetime) -> None:
        """Act on the trouble of the transport of issues; report that of the transport of confirmations as well."""
        others = [trouble for each in (express, transport) if each for trouble in each.problems()]
        self.act(transport.blocking_problem(), now=now, others=others)

    def act(self, trouble: TransportProblem | None, *, now: datetime, others: Sequence[TransportProblem] = ()) -> None:
        """Say what is wrong with relays, and pause issues where none can be used.

        `trouble` is why no issue's letter leaves at all; `others` are said, but nothing follows from them. Nothing is
        failed or put off for it: no letter is taken to a relay that cannot be used.
        """
        if trouble and trouble.lasting:
            reason = f"{trouble.place[:1].upper()}{trouble.place[1:]} cannot be used: {trouble.reason}"
            with self._begin() as session:
                issue_pauses.pause_all(session, reason=reason, now=now)
        self._crier.write(self._known([*others, *([trouble] if trouble else ())], now), now=now)

    def close(self) -> None:
        """Leave the company of those who carry."""
        self._board.close()

    def _known(self, problems: Sequence[TransportProblem], now: datetime) -> dict[str, Condition]:
        known = {}
        for pace in self._paces:
            if told := pace.slowdown():
                says, seconds = told
                until = now + timedelta(seconds=round(seconds)) if seconds else None
                known[f"the relay {pace.place}"] = Condition(says, halted=until is not None, until=until)
        for trouble in problems:
            known[trouble.place] = Condition(trouble.reason, lasting=trouble.lasting)
        return known
