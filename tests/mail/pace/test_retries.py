"""When a letter that was not taken is sent again, if at all."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.pace import retries
from newsletter.mail.transport.transport import Reply

GREYLISTED = Reply(451, "4.7.1", "Greylisted")
UNAUTHENTICATED = Reply(550, "5.7.26", "This mail is unauthenticated")
FULL = Reply(552, "5.2.2", "mailbox full")
BAD_SENDER = Reply(553, None, "bad sender")  # a reply to MAIL
LOST = Reply(None, None, "Connection reset by peer")
NOT_YET = timedelta()


def minutes(kind: LetterKind, reply: Reply | None, *, times: int) -> list[float | None]:
    waits = (retries.wait(kind, reply, deferrals=n, tried_for=NOT_YET) for n in range(times))
    return [wait and wait.total_seconds() / 60 for wait in waits]


@pytest.mark.parametrize(
    ("kind", "reply", "waits"),
    [
        (LetterKind.CONFIRMATION, GREYLISTED, [1, 5, 15, 30, 60, 60]),
        (LetterKind.ISSUE, GREYLISTED, [30, 60, 120, 240, 240, 240]),
        (LetterKind.LINK, GREYLISTED, [1, 5, 15, 30, 60, 60]),
        (LetterKind.TEST, GREYLISTED, [1, 5, 15, 30, 60, 60]),
        (LetterKind.ISSUE, LOST, [1, 5, 15, 30, 60, 60]),
        (LetterKind.CONFIRMATION, None, [1, 5, 15, 30, 60, 60]),
        (LetterKind.ISSUE, UNAUTHENTICATED, [60] * 6),
        (LetterKind.ISSUE, BAD_SENDER, [60] * 6),
        (LetterKind.CONFIRMATION, UNAUTHENTICATED, [None] * 6),
        (LetterKind.LINK, UNAUTHENTICATED, [None] * 6),
        (LetterKind.TEST, UNAUTHENTICATED, [None] * 6),
        (LetterKind.ISSUE, FULL, [None] * 6),
    ],
)
def test_the_wait_depends_on_the_kind_of_letter_and_the_reply(kind, reply, waits):
    assert minutes(kind, reply, times=6) == waits


@pytest.mark.parametrize(
    ("kind", "hours"),
    [(LetterKind.CONFIRMATION, 24), (LetterKind.ISSUE, 48), (LetterKind.LINK, 4), (LetterKind.TEST, 4)],
)
def test_each_kind_of_letter_is_retried_for_its_period(kind, hours):
    time = timedelta(hours=hours)
    assert retries.wait(kind, GREYLISTED, deferrals=9, tried_for=time) is None
    assert retries.wait(kind, GREYLISTED, deferrals=9, tried_for=time - timedelta(seconds=1))


@given(st.sampled_from(list(LetterKind)), st.sampled_from([GREYLISTED, LOST]), st.integers(0, 100))
def test_a_wait_is_never_shorter_than_the_one_before(kind, reply, deferrals):
    first, then = (retries.wait(kind, reply, deferrals=deferrals + n, tried_for=NOT_YET) for n in range(2))
    assert first <= then
