"""Retries: when a letter that was not taken is taken to the relay again, if at all.

After a 4xx: a digest first after half an hour, then less and less often, for two days, after which it is stale (RFC
5321 section 4.5.4.1); a confirmation, which somebody waits for and which greylisting holds up, after 1, 5 and 15
minutes, for a day. Where nobody has said anything, soon: the connection is at fault, and nobody was told to wait.

After a 5xx: never by itself. What was refused because of its reader ends there. What was refused because of us waits an
hour, in which the issue is paused if many are (`issue_pauses`), and then until a person goes on with the issue. If it
is not paused by then, it is now, where they are many for its list (`held_refusals`); where they are few they end
failed, and nobody was asked a second time.
"""

from datetime import timedelta

from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import Cause
from newsletter.mail.transport.transport import Reply

# Minutes, by how often the letter was put off before; the last one repeats.
WAITS = {LetterKind.CONFIRMATION: (1, 5, 15, 30, 60), LetterKind.ISSUE: (30, 60, 120, 240), LetterKind.TEST: (1, 5)}
UNHEARD = (1, 5, 15, 30, 60)
TRIED_FOR = {
    LetterKind.CONFIRMATION: timedelta(hours=24),
    LetterKind.ISSUE: timedelta(hours=48),
    LetterKind.TEST: timedelta(minutes=30),
}
HOLD = timedelta(hours=1)


def wait(
    kind: LetterKind, reply: Reply | None, *, deferrals: int, tried_for: timedelta, jitter: float = 1.0
) -> timedelta | None:
    """How long a letter waits that was LATER; None: it is given up. `tried_for` counts from its first attempt."""
    if tried_for >= TRIED_FOR[kind]:
        return None
    if is_final(reply):
        return (
            HOLD
            if kind is LetterKind.ISSUE and reply and replies.cause(reply) is not Cause.RECIPIENT_TRANSIENT
            else None
        )
    waits = UNHEARD if reply is None or reply.code is None else WAITS[kind]
    return timedelta(minutes=waits[min(deferrals, len(waits) - 1)] * jitter)


def is_final(reply: Reply | None) -> bool:
    """Whether the server wants never to see this letter again (RFC 5321 section 4.2.1)."""
    return reply is not None and reply.code is not None and reply.code >= 500
