"""The messages over one open connection: bytes in, outcomes out. It knows no socket and no clock.

With PIPELINING a message costs one round trip: the end of one message and the envelope of the next are sent in one
group, because RFC 2920 section 3.1 allows the content first in a group and DATA last.

    we send      content of A, final dot, MAIL B, RCPT B, DATA
    we receive   250 (A is taken), 250, 250, 354
    we send      content of B, final dot, MAIL C, RCPT C, DATA      ...

Without PIPELINING, or while a relay is slow to answer the final dot, the same happens command by command.
"""

from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp import envelope
from newsletter.mail.transport.smtp.command_queue import AwaitedReply, CommandQueue
from newsletter.mail.transport.smtp.dot_stuffing import FINAL_DOT, DotStuffing
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.reply_reader import ReplyReader
from newsletter.mail.transport.transport import Message, Outcome, Reply

MAX_REFUSALS = 8  # in a row. Relays hang up after ten; we leave earlier, so that a 421 from them is a real "slow down"
# A relay that takes longer to reply to a final dot is slow, and gets no envelope ahead of that reply: the MAIL FROM
# would wait on the wire, where it cannot be withdrawn once it is too late to begin.
SLOW_SECONDS = 1.0
TOO_LATE = Reply(None, None, "the relay stalled until it was too late to begin the next letter")
OUT_OF_STEP = (354, 503)  # replies to MAIL that show that the relay answers something else


class FinishedMessage(NamedTuple):
    """A message, the outcome of its attempt, and the reply that decided it."""

    message: Message
    outcome: Outcome
    reply: Reply | None


class Transactions:
    """At most two messages at a time: one whose content is sent, and one whose envelope is."""

    def __init__(self, extensions: Extensions, stuffing: DotStuffing, reader: ReplyReader | None = None) -> None:
        self.finished_count = 0  # messages with an outcome after which the relay kept the connection open
        self.ended_by: Reply | None = None  # set when nothing more may be sent over this connection
        self.due_octets = 0  # of the content that the relay has asked for and that is not written yet
        self._extensions = extensions
        self._stuffing = stuffing
        self._reader = reader or ReplyReader()
        self._queue = CommandQueue(pipelining=extensions.pipelining)
        self._envelope_handlers = (self._on_mail, self._on_rcpt, self._on_data)
        self._due: list[bytes] = []  # the content that the relay has asked for
        self._content: list[bytes] = []  # of `_begun`
        self._content_octets = 0
        self._begun: Message | None = None  # its envelope is sent, or waits to be
        self._sent: Message | None = None  # its content is sent, or due
        self._refusal: tuple[Outcome, Reply] | None = None  # of `_begun`
        self._mail_is_answered = False  # the MAIL of `_begun`
        self._mail_is_accepted = False
        self._needs_rset = False  # a refused command leaves the transaction open
        self._refusals = 0  # in a row
        self._is_quick = False  # unknown before the first reply to a final dot
        self._now = self._dot_sent_at = 0.0
        self._finished: list[FinishedMessage] = []

    @property
    def awaits(self) -> AwaitedReply | None:
        """What the next reply is to; None if none is awaited."""
        awaited = self._queue.awaited
        if not awaited:
            return None
        if awaited[0] == self._on_data:
            return AwaitedReply.DATA
        is_final_dot = awaited[0] in (self._on_final_dot, self._on_empty_dot)
        return AwaitedReply.FINAL_DOT if is_final_dot else AwaitedReply.COMMAND

    @property
    def is_idle(self) -> bool:
        """Whether no message is under way and no reply is awaited."""
        return not (self._sent or self._begun or self._queue.awaited or self._due)

    @property
    def has_message(self) -> bool:
        """Whether a message is under way."""
        return bool(self._sent or self._begun)

    @property
    def has_too_many_refusals(self) -> bool:
        """Whether to leave, because the relay has refused too many messages in a row."""
        return self._refusals >= MAX_REFUSALS

    @property
    def can_begin(self) -> bool:
        """Whether a message may begin now."""
        if self._begun or self._queue or self.ended_by or self.has_too_many_refusals or self._sends_rset_first:
            return False
        # While a reply to a final dot is awaited, an envelope is sent only in one group with the content before it.
        return (not self._queue.awaited) and (not self._due or (self._extensions.pipelining and self._is_quick))

    @property
    def _sends_rset_first(self) -> bool:
        """Whether RSET is sent before the next message is taken: command by command, MAIL would wait for its reply."""
        return self._needs_rset and not self._extensions.pipelining

    def begin(self, message: Message) -> tuple[Outcome, Reply] | None:
        """Begin a message, if `can_begin`; or return why it must not be offered to this relay."""
        if refusal := envelope.refusal(message, self._extensions):
            return refusal
        content = self._stuffing.content(message.body)
        if self._needs_rset:
            # Without it the message would leave under the sender of the one before it, or to its recipient.
            self._queue.add([b"RSET\r\n"], [self._on_rset])
            self._needs_rset = False
        self._queue.add(envelope.commands(message, content, self._extensions), self._envelope_handlers)
        self._begun, self._content, self._content_octets = message, content.segments, content.size
        self._refusal, self._mail_is_answered, self._mail_is_accepted = None, False, False
        return None

    def output(self, now: float) -> list[bytes]:
        """Return what to write now, in pieces; an empty list if nothing is due."""
        if self._sends_rset_first and self.is_idle and not self.has_too_many_refusals:
            self._needs_rset = False
            self._queue.awaited.append(self._on_rset)
            return [b"RSET\r\n"]
        pieces, self._due, self.due_octets = self._due, [], 0
        if pieces:
            self._queue.awaited.append(self._on_final_dot if self._sent else self._on_empty_dot)
            self._dot_sent_at = now
        return pieces + self._queue.send()

    def receive(self, data: bytes, now: float) -> list[FinishedMessage]:
        """Process received bytes; return the messages that they finish, in order. `ended_by` is set if they end it."""
        self._now = now
        for reply, _ in self._reader.feed(data):
            if reply.code is None or not self._queue.awaited:  # invalid, or unsolicited, as 421 before a relay closes
                self.ended_by = reply
                break
            if reply.code == 421:  # RFC 5321 section 3.8: the relay closes, whatever the command was
                self.ended_by = reply
            self._queue.awaited.popleft()(reply)
            if self.ended_by:
                break
        if self._queue and not self._queue.awaited:
            self._withdraw_late(now)
        return self._take_finished()

    def connection_lost(self, reason: Reply, *, unsent: bool) -> list[FinishedMessage]:
        """End; return the messages under way, each with the outcome of how far it got.

        `unsent` says that more than MAX_AHEAD_OCTETS written octets have not left yet.
        """
        self.ended_by = self.ended_by or reason
        self._finish_all(reason, unsent=unsent)
        return self._take_finished()

    def _take_finished(self) -> list[FinishedMessage]:
        finished, self._finished = self._finished, []
        return finished

    def _withdraw_late(self, now: float) -> None:
        """Withdraw a message whose MAIL had to wait for the reply before it, and waited too long."""
        message = self._begun
        if message and now > message.begin_by and self._queue.next_handler in (self._on_rset, self._on_mail):
            self._needs_rset = self._needs_rset or self._queue.next_handler == self._on_rset
            self._queue.drop()
            self._begun, self._content = None, []
            self._finished.append(FinishedMessage(message, Outcome.UNTOUCHED, None))

    def _on_final_dot(self, reply: Reply) -> None:
        assert self._sent
        message, self._sent = self._sent, None
        self._is_quick = self._now - self._dot_sent_at <= SLOW_SECONDS
        if replies.is_positive(reply):
            self._refusals = 0
            self._finish(message, Outcome.TAKEN, reply)
        elif reply.code == 354:  # the relay has the whole message, but what it answers cannot be known
            self.ended_by = reply
            self._finish(message, Outcome.IN_DOUBT, reply)
        else:
            self._refusals += 1
            self._needs_rset = True
            self._finish(message, replies.refusal_outcome(reply), reply)
        self._leave_late()

    def _leave_late(self) -> None:
        """Leave if the relay stalled so long that the message whose envelope it has must not begin any more.

        The relay reads that envelope only now. Hanging up before the content is the only way to withdraw it.
        """
        if self._begun and not (self._queue or self._is_quick or self.ended_by) and self._now > self._begun.begin_by:
            message, self._begun, self._content = self._begun, None, []
            self.ended_by = TOO_LATE
            self._finished.append(FinishedMessage(message, Outcome.UNTOUCHED, None))

    def _on_empty_dot(self, reply: Reply) -> None:
        """Ignore the reply to a final dot without content: whatever it is, no message was taken."""
        if reply.code == 354:
            self.ended_by = reply

    def _on_rset(self, reply: Reply) -> None:
        if not replies.is_positive(reply):
            self.ended_by = reply

    def _on_mail(self, reply: Reply) -> None:
        self._mail_is_answered = True
        self._mail_is_accepted = replies.is_positive(reply)
        if reply.code in OUT_OF_STEP:  # not about this message
            self.ended_by = reply
            self._refuse(Outcome.UNTOUCHED, reply)
        elif reply.code == 421 and self.finished_count:
            # The relay's limit of messages per connection: it says nothing about this message.
            self._refuse(Outcome.UNTOUCHED, reply)
        elif not self._mail_is_accepted:
            self._refuse(Outcome.LATER, reply)  # never the recipient's: the relay does not know the recipient yet

    def _on_rcpt(self, reply: Reply) -> None:
        if reply.code == 354:  # out of step as well
            self.ended_by = reply
            self._refuse(Outcome.UNTOUCHED, reply)
        elif not replies.is_positive(reply):
            self._refuse(replies.refusal_outcome(reply), reply)

    def _on_data(self, reply: Reply) -> None:
        if replies.is_positive(reply):
            self.ended_by = reply  # DATA has no positive reply: we are out of step, and would misread what follows
        elif reply.code != 354:
            self._refuse(replies.refusal_outcome(reply), reply)
            self._finish_refused()
        elif not self._refusal:
            self._sent, self._begun = self._begun, None
            self._due, self._content, self.due_octets = self._content, [], self._content_octets
        elif self._mail_is_accepted:
            # The relay refused the only recipient and asks for the content all the same. It gets none, and its reply
            # to that is not about the message.
            self._due = [FINAL_DOT]
            self._finish_refused()
        else:  # it refused the sender and asks for content: whose, cannot be known
            self.ended_by = reply

    def _refuse(self, outcome: Outcome, reply: Reply) -> None:
        self._refusal = self._refusal or (outcome, reply)
        if self._queue:  # command by command: the rest of the envelope is never sent
            self._queue.drop()
            self._finish_refused()

    def _finish_refused(self) -> None:
        """Finish the refused message; the relay still has its transaction open."""
        if self.ended_by:
            return
        assert self._begun
        assert self._refusal
        message, self._begun = self._begun, None
        self._refusals += 1
        self._needs_rset = True
        self._finish(message, *self._refusal)

    def _finish(self, message: Message, outcome: Outcome, reply: Reply | None) -> None:
        self.finished_count += not self.ended_by
        self._finished.append(FinishedMessage(message, outcome, reply))

    def _finish_all(self, reason: Reply, *, unsent: bool) -> None:
        """Finish each message by how far it got: no reply will come any more."""
        has_sent = bool(self._sent)
        if self._sent:
            has_left = not (self._due or unsent)
            message, self._sent = self._sent, None
            self._finish(message, Outcome.IN_DOUBT if has_left else Outcome.LATER, reason)
        if self._begun:
            message, self._begun = self._begun, None
            self._finish(message, *self._outcome_so_far(reason, is_first=not (self.finished_count or has_sent)))
        self._queue.awaited.clear()
        self._queue.drop()
        self._due = []

    def _outcome_so_far(self, reason: Reply, *, is_first: bool) -> tuple[Outcome, Reply]:
        if self._refusal:
            # A relay hangs up because of the refusals in a row, and not because of this message.
            is_for_others = self._refusal[1].code == 421 and self._refusals >= MAX_REFUSALS // 2
            return (Outcome.UNTOUCHED, self._refusal[1]) if is_for_others else self._refusal
        if self._mail_is_answered:
            return Outcome.LATER, reason
        # Relays close idle connections, and those that have carried many messages: that is not about this message.
        return (Outcome.LATER if is_first else Outcome.UNTOUCHED), reason
