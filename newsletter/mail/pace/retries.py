"""When a letter that was not taken is sent again, if at all.

After a 4xx: an issue first after half an hour, then less and less often, for two days, after which it is stale (RFC
5321 section 4.5.4.1); a confirmation, which somebody waits for and which greylisting delays, after 1, 5 and 15 minutes,
for a day; a link in the same way for four hours, because it works for twelve, and a letter to an operator, too. After a
lost connection without a reply: soon, because no relay asked us to wait.

After a 5xx: never automatically. A letter refused because of its recipient ends there. One refused because of us is
held for an hour, in which the issue is paused if there are many (`issue_pauses`), and then until a person resumes the
issue. If it is not paused by then, it is paused if they are many for its list (`held_refusals`); if they are few, they
end failed without a second attempt.
"""

from datetime import timedelta

from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import RefusalCause
from newsletter.mail.transport.transport import Reply

# Minutes, by how often the letter was deferred before; the last one repeats.
WAIT_MINUTES = {
    LetterKind.CONFIRMATION: (1, 5, 15, 30, 60),
    LetterKind.ISSUE: (30, 60, 120, 240),
    LetterKind.LINK: (1, 5, 15, 30, 60),
    LetterKind.ADDRESS: (1, 5, 15, 30, 60),
    LetterKind.WELCOME: (5, 15, 30, 60, 120),
    LetterKind.TEST: (1, 5, 15, 30, 60),
}
NO_REPLY_WAIT_MINUTES = (1, 5, 15, 30, 60)
RETRY_PERIOD = {
    LetterKind.CONFIRMATION: timedelta(hours=24),
    LetterKind.ISSUE: timedelta(hours=48),
    LetterKind.LINK: timedelta(hours=4),
    LetterKind.ADDRESS: timedelta(hours=24),
    LetterKind.WELCOME: timedelta(hours=24),
    LetterKind.TEST: timedelta(hours=4),
}
HOLD = timedelta(hours=1)  # for an issue's letter that was refused permanently because of us


def wait(
    kind: LetterKind, reply: Reply | None, *, deferrals: int, tried_for: timedelta, jitter: float = 1.0
) -> timedelta | None:
    """Return how long a letter with the outcome LATER waits; None if it is given up.

    `tried_for` is the time since its first attempt.
    """
    if tried_for >= RETRY_PERIOD[kind]:
        return None
    if reply and is_permanent(reply):
        is_held = kind is LetterKind.ISSUE and replies.refusal_cause(reply) is not RefusalCause.RECIPIENT_TRANSIENT
        return HOLD if is_held else None
    minutes = NO_REPLY_WAIT_MINUTES if reply is None or reply.code is None else WAIT_MINUTES[kind]
    return timedelta(minutes=minutes[min(deferrals, len(minutes) - 1)] * jitter)


def is_permanent(reply: Reply | None) -> bool:
    """Return whether the server must not be sent this message again (RFC 5321 section 4.2.1)."""
    return reply is not None and reply.code is not None and reply.code >= 500
