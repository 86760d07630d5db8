"""One call of `SmtpTransport.send`: the messages taken from the caller, the results reported, and its end."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from newsletter.mail.transport.smtp.transactions import FinishedMessage
from newsletter.mail.transport.transport import Message, Outcome, Result


class SendSession:
    """Takes messages and reports their results.

    `is_over`: it takes no further message for now. `is_done`: it is over, and every message taken is reported.
    """

    def __init__(
        self,
        messages: Iterator[Message | None],
        report: Callable[[Result], None],
        stop: Callable[[], bool],
        *,
        clock: Callable[[], datetime],
        on_done: Callable[[], None],
    ) -> None:
        self.is_over = False
        self.is_done = False
        self.begun = 0
        self.received = 0
        self.under_way = 0
        self.error: Exception | None = None
        self._messages = messages
        self._report = report
        self._stop = stop
        self._clock = clock
        self._on_done = on_done
        self._held: Message | None = None  # taken from the caller, not yet given to a route
        self._is_final = False  # it stays over

    @property
    def may_begin(self) -> bool:
        """Whether messages that were taken may still begin, also if none is left to take."""
        return self.error is None and not self._stop()

    def has_message(self) -> bool:
        """Return whether there is a message to send. It is held, and is the next one."""
        self._held = self.next_message()
        return self._held is not None

    def next_message(self) -> Message | None:
        """Return the next message that is still in time to begin; None if the session is over."""
        try:
            while not (self.is_over or self._stop()):
                message, self._held = self._held or self._receive(), None
                if message is None:
                    break
                if time.monotonic() <= message.begin_by:
                    return message
                self.report(FinishedMessage(message, Outcome.UNTOUCHED, None))
        except Exception as error:  # noqa: BLE001 - it is raised to the caller once what was taken is reported
            self.fail(error)
        self.is_over = True
        return None

    def _receive(self) -> Message | None:
        try:
            message = next(self._messages)
        except StopIteration:
            self._is_final = True
            return None
        if message:
            self.received += 1
            self.under_way += 1
        return message

    def report(self, finished: FinishedMessage) -> Result:
        """Report the result of a message, which must not have been reported before, and return it."""
        message, outcome, reply = finished
        result = Result(message.delivery, message.attempt, outcome, reply, self._clock())
        self.under_way -= 1
        try:
            self._report(result)
        except Exception as error:  # noqa: BLE001 - likewise
            self.fail(error)
        self.check_done()
        return result

    def raise_error(self) -> None:
        """Raise the first error of the session, if there was one."""
        if self.error:
            raise self.error

    def check_done(self) -> None:
        """End the call if the session is over and every message is reported."""
        if self.is_over and not self.under_way and not self.is_done:
            self._mark_done()

    def check_stop(self) -> None:
        """Ask again whether to stop. While messages are under way, a session that was over may continue."""
        self.check_done()
        self.is_over = self._is_final or self.is_done or self._stop()
        if self.is_over:
            self._return_held()

    def stop_taking(self) -> None:
        """Take no more messages."""
        self._is_final = self.is_over = True
        self._return_held()

    def abandon(self) -> None:
        """Be done, even if results are missing because the connections of their messages are lost."""
        self._return_held()
        if not self.is_done:
            self._mark_done()

    def fail(self, error: Exception) -> None:
        """Take no more messages, and raise the error at the end of the call."""
        self.error = self.error or error
        self._is_final = self.is_over = True

    def _mark_done(self) -> None:
        self.is_done = True
        self._on_done()

    def _return_held(self) -> None:
        if self._held:
            message, self._held = self._held, None
            self.report(FinishedMessage(message, Outcome.UNTOUCHED, None))
        self.check_done()
