"""A round: one carry of the postman's. What is pulled, what is reported, and when it is over."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from newsletter.mail.transport.smtp.transactions import Decision
from newsletter.mail.transport.transport import Message, Outcome, Result


class SendSession:
    """Between `carry` and its return. It is over while nothing is to be pulled; done when then all is reported, too."""

    def __init__(
        self,
        messages: Iterator[Message | None],
        report: Callable[[Result], None],
        stop: Callable[[], bool],
        *,
        clock: Callable[[], datetime],
        done: Callable[[], None],
    ) -> None:
        self.is_over = False
        self.is_done = False
        self.begun = 0
        self.pulled = 0
        self.under_way = 0
        self.error: Exception | None = None
        self._parcels = messages
        self._report = report
        self._stop = stop
        self._clock = clock
        self._done = done
        self._held: Message | None = None
        self._has_ended = False  # and it is over for good

    @property
    def goes_on(self) -> bool:
        """Whether what was pulled may still begin, also when nothing is left to pull."""
        return self.error is None and not self._stop()

    def has_any(self) -> bool:
        """Whether there is anything to carry. What is found so is held, and is the next."""
        self._held = self.next()
        return self._held is not None

    def next(self) -> Message | None:
        """The next parcel that may still begin; None for the end of the round."""
        try:
            while not (self.is_over or self._stop()):
                message, self._held = self._held or self._pull(), None
                if message is None:
                    break
                if time.monotonic() <= message.begin_by:
                    return message
                self.report(Decision(message, Outcome.UNTOUCHED, None))
        except Exception as error:  # noqa: BLE001 - it is raised to the caller when what was pulled is reported
            self.break_off(error)
        self.is_over = True
        return None

    def _pull(self) -> Message | None:
        try:
            message = next(self._parcels)
        except StopIteration:
            self._has_ended = True
            return None
        if message:
            self.pulled += 1
            self.under_way += 1
        return message

    def report(self, decision: Decision) -> Result:
        """Tell what became of a parcel, once."""
        message, outcome, reply = decision
        report = Result(message.delivery, message.attempt, outcome, reply, self._clock())
        self.under_way -= 1
        try:
            self._report(report)
        except Exception as error:  # noqa: BLE001 - likewise
            self.break_off(error)
        self.look()
        return report

    def complain(self) -> None:
        """Raise what was raised by whoever gave us the parcels or took our reports."""
        if self.error:
            raise self.error

    def look(self) -> None:
        """See whether it is done."""
        if self.is_over and not self.under_way and not self.is_done:
            self.is_done = True
            self._done()

    def heed(self) -> None:
        """Ask whether to stop, though nothing is to be pulled; or, while letters are under way, whether to go on."""
        self.look()
        self.is_over = self._has_ended or self.is_done or self._stop()
        if self.is_over:
            self._give_back()

    def end(self) -> None:
        """Pull no more."""
        self._has_ended = self.is_over = True
        self._give_back()

    def give_up(self) -> None:
        """Be done, also without a word about letters whose connections cannot be found any more."""
        self._give_back()
        if not self.is_done:
            self.is_done = True
            self._done()

    def break_off(self, error: Exception) -> None:
        """Pull no more, and complain in the end."""
        self.error = self.error or error
        self._has_ended = self.is_over = True

    def _give_back(self) -> None:
        if self._held:
            message, self._held = self._held, None
            self.report(Decision(message, Outcome.UNTOUCHED, None))
        self.look()
