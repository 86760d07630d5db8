"""How a sink treats its callers."""

from typing import NamedTuple

from newsletter.bench.book import Arrival


class Answer(NamedTuple):
    """What the sink says, and what goes with it."""

    reply: bytes  # a line; empty where it hangs up without a word
    after: float = 0.0  # seconds that the answer takes
    hangs_up: bool = False
    takes: bool = True  # whether the letter is written down as taken


OK = Answer(b"250 2.0.0 ok\r\n")
GO_AHEAD = Answer(b"354 go ahead\r\n")
GREETING = Answer(b"220 sink.test ESMTP\r\n")


class Manners:
    """How a sink treats its callers: this one says yes to everything. Where it says no, subclasses begin."""

    def greeting(self, connection: int) -> Answer:
        """To somebody who connects."""
        return GREETING

    def mail(self, connection: int, sender: str) -> Answer:
        """To MAIL FROM."""
        return OK

    def recipient(self, connection: int, recipient: str) -> Answer:
        """To RCPT TO."""
        return OK

    def data(self, connection: int) -> Answer:
        """To DATA."""
        return GO_AHEAD

    def end(self, arrival: Arrival) -> Answer:
        """To a whole letter."""
        return OK
