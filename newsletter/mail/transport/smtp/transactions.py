"""Transactions: letters over one open connection. Bytes in, decisions out; it knows no socket and no clock.

With PIPELINING a letter costs one round trip: the end of one letter and the next one's envelope go in one group, for
RFC 2920 section 3.1 lets a message's content come first in it and DATA last.

    we say       content of A, final dot, MAIL B, RCPT B, DATA
    we hear      250 (A is theirs), 250, 250, 354
    we say       content of B, final dot, MAIL C, RCPT C, DATA      ...

Without it, or while a relay takes its time over its verdicts, the same happens command by command.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp import envelope
from newsletter.mail.transport.smtp.dot_stuffing import END, DotStuffing
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.reply_reader import ReplyReader
from newsletter.mail.transport.transport import Message, Outcome, Reply

REFUSALS = 8  # relays hang up after ten in a row; we leave before, so that their 421 stays a true "slow down"
SLOW = 1.0  # seconds for a verdict: from then on nothing is said ahead, or a MAIL FROM would wait in the wire
OUT_OF_STEP = (354, 503)  # to MAIL: what the relay answers is not what we asked
AHEAD = 2048  # octets of an envelope that may follow a letter unasked: less than this unsent, and the dot may have left


class Step(Enum):
    """What a relay is thinking about."""

    COMMAND = auto()
    DATA = auto()
    VERDICT = auto()


Hearer = Callable[[Reply], None]


class Decision(NamedTuple):
    """What became of a letter."""

    message: Message
    outcome: Outcome
    reply: Reply | None


class Transactions:
    """At most two letters at a time: `sent`, whose final dot is said, and `begun`, whose envelope is."""

    def __init__(self, offers: Extensions, stuffing: DotStuffing, reader: ReplyReader | None = None) -> None:
        self.decided = 0  # letters that the relay decided about, and stayed
        self.over: Reply | None = None  # why nothing more is said here
        self._offers = offers
        self._stuffing = stuffing
        self._reader = reader or ReplyReader()
        self._awaited: deque[Hearer] = deque()  # who hears the next replies
        self._unsaid: deque[bytes] = deque()  # commands
        self._hearers: deque[Hearer] = deque()  # of the replies to those
        self._envelope = (self._hear_mail, self._hear_rcpt, self._hear_data)
        self._due: list[bytes] = []  # the content that was asked for
        self._content: list[bytes] = []  # of `begun`
        self._begun: Message | None = None
        self._sent: Message | None = None
        self._refusal: tuple[Outcome, Reply] | None = None  # of `begun`
        self._is_known = False  # whether the relay has answered to the MAIL of `begun`
        self._is_welcome = False  # and whether that was a yes
        self._must_forget = False  # a refused command leaves the transaction open
        self._row = 0  # of refusals
        self._is_quick = False  # not known before the first verdict
        self._now = self._dot_at = 0.0
        self._decisions: list[Decision] = []

    @property
    def awaits(self) -> Step | None:
        """What the next reply is to; None where none is awaited."""
        if not self._awaited:
            return None
        if self._awaited[0] == self._hear_data:
            return Step.DATA
        return Step.VERDICT if self._awaited[0] in (self._hear_verdict, self._hear_void) else Step.COMMAND

    @property
    def is_free(self) -> bool:
        """Whether no letter is under way here."""
        return not (self._sent or self._begun or self._awaited or self._due)

    @property
    def has_letter(self) -> bool:
        """Whether a letter is under way here."""
        return bool(self._sent or self._begun)

    @property
    def is_spent(self) -> bool:
        """Whether it is time to leave: the relay has refused too many in a row."""
        return self._row >= REFUSALS

    @property
    def has_room(self) -> bool:
        """Whether a letter may begin now."""
        if self._begun or self._unsaid or self.over or self._row >= REFUSALS or self._forgets_first:
            return False
        # Ahead of a verdict only with the content before it, in one group.
        return (not self._awaited) and (not self._due or (self._offers.pipelining and self._is_quick))

    @property
    def _forgets_first(self) -> bool:
        """Whether RSET is said before a letter is asked for: command by command its MAIL would wait for the answer."""
        return self._must_forget and not self._offers.pipelining

    def begin(self, message: Message) -> tuple[Outcome, Reply] | None:
        """Take a letter, where there is room; or say why this relay is not even asked."""
        if refusal := envelope.unfit(message, self._offers):
            return refusal
        content = self._stuffing.content(message.body)
        if self._must_forget:
            # Or the letter would leave under the sender of the one before it, or to its reader.
            self._unsaid.append(b"RSET\r\n")
            self._hearers.append(self._hear_rset)
            self._must_forget = False
        self._unsaid.extend(envelope.commands(message, content, self._offers))
        self._hearers.extend(self._envelope)
        self._begun, self._content = message, content.pieces
        self._refusal, self._is_known, self._is_welcome = None, False, False
        return None

    def say(self, now: float) -> list[bytes]:
        """What is to be written now, if anything, in pieces."""
        if self._forgets_first and self.is_free and not self.is_spent:
            self._must_forget = False
            self._awaited.append(self._hear_rset)
            return [b"RSET\r\n"]
        words, self._due = self._due, []
        if words:
            self._awaited.append(self._hear_verdict if self._sent else self._hear_void)
            self._dot_at = now
        if self._unsaid and (not self._awaited or self._may_follow()):
            if not self._offers.pipelining:
                self._awaited.append(self._hearers.popleft())
                return [self._unsaid.popleft()]
            self._awaited += self._hearers
            words += self._unsaid
            self._hearers.clear()
            self._unsaid.clear()
        return words

    def hear(self, data: bytes, now: float) -> list[Decision]:
        """Take what arrived; what it decides, in the order of the letters. Where that ends it, `over` says why."""
        self._now = now
        for reply, _ in self._reader.feed(data):
            if reply.code is None or not self._awaited:  # nonsense, or unasked, as 421 is before a relay closes
                self.over = reply
                break
            if reply.code == 421:  # RFC 5321 section 3.8: the relay closes, whatever it was asked
                self.over = reply
            self._awaited.popleft()(reply)
            if self.over:
                break
        if self._unsaid and not self._awaited:
            self._withdraw_late(now)
        decisions, self._decisions = self._decisions, []
        return decisions

    def lose(self, why: Reply, *, unsent: bool) -> list[Decision]:
        """The connection ends, by whomever; `unsent` where more than AHEAD octets of ours have not left yet."""
        self.over = self.over or why
        self._settle(why, unsent=unsent)
        decisions, self._decisions = self._decisions, []
        return decisions

    def _withdraw_late(self, now: float) -> None:
        """A letter whose MAIL had to wait for the answer to the one before it may have waited too long."""
        message = self._begun
        if message and now > message.begin_by and self._hearers[0] in (self._hear_rset, self._hear_mail):
            self._must_forget = self._must_forget or self._hearers[0] == self._hear_rset
            self._unsaid.clear()
            self._hearers.clear()
            self._begun, self._content = None, []
            self._decisions.append(Decision(message, Outcome.UNTOUCHED, None))

    def _may_follow(self) -> bool:
        return self._offers.pipelining and sum(map(len, self._unsaid)) <= AHEAD

    def _hear_verdict(self, reply: Reply) -> None:
        assert self._sent
        message, self._sent = self._sent, None
        self._is_quick = self._now - self._dot_at <= SLOW
        if replies.is_yes(reply):
            self._row = 0
            self._decide(message, Outcome.TAKEN, reply)
        elif reply.code == 354:  # what it answers is not to be found out: it has all of the letter
            self.over = reply
            self._decide(message, Outcome.IN_DOUBT, reply)
        else:
            self._row += 1
            self._must_forget = True
            self._decide(message, replies.verdict(reply), reply)

    def _hear_void(self, reply: Reply) -> None:
        """A dot was said after nothing: whatever the answer is, no letter was taken."""
        if reply.code == 354:
            self.over = reply

    def _hear_rset(self, reply: Reply) -> None:
        if not replies.is_yes(reply):
            self.over = reply

    def _hear_mail(self, reply: Reply) -> None:
        self._is_known = True
        self._is_welcome = replies.is_yes(reply)
        if reply.code in OUT_OF_STEP:  # the letter has nothing to do with it
            self.over = reply
            self._refuse(Outcome.UNTOUCHED, reply)
        elif reply.code == 421 and self.decided:
            self._refuse(
                Outcome.UNTOUCHED, reply
            )  # as many letters as it takes over one connection: no word about this
        elif not self._is_welcome:
            self._refuse(Outcome.LATER, reply)  # nobody has heard of the reader yet

    def _hear_rcpt(self, reply: Reply) -> None:
        if reply.code == 354:  # we are out of step here as well
            self.over = reply
            self._refuse(Outcome.UNTOUCHED, reply)
        elif not replies.is_yes(reply):
            self._refuse(replies.verdict(reply), reply)

    def _hear_data(self, reply: Reply) -> None:
        if replies.is_yes(reply):
            self.over = reply  # a yes to what is no question: we are out of step, and what follows would be misread
        elif reply.code != 354:
            self._refuse(replies.verdict(reply), reply)
            self._give_up()
        elif not self._refusal:
            self._sent, self._begun = self._begun, None
            self._due, self._content = self._content, []
        elif self._is_welcome:
            # It refused the only recipient and wants the content all the same: it gets none, and what it then says
            # about that is not about the letter.
            self._due = [END]
            self._give_up()
        else:  # whose letter it wants, if not this sender's, is not to be found out
            self.over = reply

    def _refuse(self, outcome: Outcome, reply: Reply) -> None:
        self._refusal = self._refusal or (outcome, reply)
        if self._unsaid:  # command by command: the rest of the envelope is never said
            self._unsaid.clear()
            self._hearers.clear()
            self._give_up()

    def _give_up(self) -> None:
        """Decide the refused letter; the relay still has its transaction open."""
        if self.over:
            return
        assert self._begun
        assert self._refusal
        message, self._begun = self._begun, None
        self._row += 1
        self._must_forget = True
        self._decide(message, *self._refusal)

    def _decide(self, message: Message, outcome: Outcome, reply: Reply | None) -> None:
        self.decided += not self.over
        self._decisions.append(Decision(message, outcome, reply))

    def _settle(self, why: Reply, *, unsent: bool) -> None:
        """Nothing more will be heard: each letter by how far it got."""
        followed = bool(self._sent)
        if self._sent:
            has_left = not (self._due or unsent)
            message, self._sent = self._sent, None
            self._decide(message, Outcome.IN_DOUBT if has_left else Outcome.LATER, why)
        if self._begun:
            message, self._begun = self._begun, None
            self._decide(message, *self._how_far(why, is_first=not (self.decided or followed)))
        self._awaited.clear()
        self._unsaid.clear()
        self._hearers.clear()
        self._due = []

    def _how_far(self, why: Reply, *, is_first: bool) -> tuple[Outcome, Reply]:
        if self._refusal:
            # After a row of refusals the relay hangs up for that row: this letter has no part in it.
            is_for_the_row = self._refusal[1].code == 421 and self._row >= REFUSALS // 2
            return (Outcome.UNTOUCHED, self._refusal[1]) if is_for_the_row else self._refusal
        if self._is_known:
            return Outcome.LATER, why
        # Relays close idle connections, and those with many letters behind them: that is not about this one.
        return (Outcome.LATER if is_first else Outcome.UNTOUCHED), why
