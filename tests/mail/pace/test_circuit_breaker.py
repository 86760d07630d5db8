"""An issue that too many refuse is paused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.pace import circuit_breaker
from newsletter.mail.pace.circuit_breaker import Breaker
from newsletter.mail.pace.shared_state import LocalBoard
from newsletter.mail.transport.transport import Fate, Reply, Report
from tests.clock import NOON
from tests.transports import Ticks

REPLIES = {
    "t": (Fate.TAKEN, Reply(250, "2.0.0", "ok")),
    "g": (Fate.REFUSED, Reply(550, "5.1.1", "<address>: User unknown")),
    "r": (Fate.LATER, Reply(550, "5.7.26", "This mail is unauthenticated")),
    "s": (Fate.LATER, Reply(450, "4.7.1", "Too much mail")),
    "c": (Fate.LATER, Reply(421, "4.3.2", "Closing down")),
    "l": (Fate.LATER, Reply(451, "4.7.1", "Greylisted")),
}


def hear(breaker: Breaker, marks: str, issue: int | None = 1) -> None:
    for mark in marks:
        breaker.heard(issue, Report(1, 1, *REPLIES[mark], NOON))
    breaker.settle()


@pytest.mark.parametrize(
    ("marks", "is_paused"),
    [
        ("t" * 180 + "g" * 20, False),
        ("t" * 179 + "g" * 21, True),
        ("t" * 160 + "r" * 40, False),
        ("t" * 159 + "r" * 41, True),
        ("t" * 44 + "g" * 5, False),  # too few to tell
        ("t" * 44 + "g" * 6, True),
        ("g" * 9, False),
        ("g" * 10, True),  # and these without an exception
        ("r" * 10, True),
        ("g" * 5 + "r" * 5, False),
        ("s" * 100 + "l" * 100, False),  # it passes: a person need not look at it
        ("c" * 200, False),
        ("t" * 500 + "g" * 21, True),
        ("g" * 5 + "t" * 500, False),
    ],
)
def test_a_tenth_without_a_mailbox_or_a_fifth_held_against_us_is_too_much(marks, is_paused):
    watch = Breaker(LocalBoard(), ticks=Ticks())
    hear(watch, marks)
    assert (1 in watch.tripped) is is_paused


@given(st.text(alphabet="tgrscl", max_size=300))
def test_what_is_too_much_is_so_by_its_share(marks):
    last = marks[-200:]
    found = circuit_breaker.too_much(marks)
    if found:
        assert last.count(found) > {"g": 0.1, "r": 0.2}[found] * len(last)
    elif len(last) >= 50:
        assert last.count("g") <= 0.1 * len(last)
        assert last.count("r") <= 0.2 * len(last)


def test_the_reason_has_numbers_and_the_most_frequent_reply():
    watch = Breaker(LocalBoard(), ticks=Ticks())
    hear(watch, "t" * 40 + "g" * 10)
    reason = watch.tripped[1]
    assert reason.startswith("Of the last 50 letters 10 were refused for good because the mailbox does not exist")
    assert reason.endswith("Most often: 550 5.1.1 <address>: User unknown")


def test_carriers_count_together_and_one_of_them_says_so():
    board = LocalBoard()
    ann, bob = Breaker(board, ticks=Ticks()), Breaker(board, ticks=Ticks())
    for _ in range(10):
        hear(ann, "ttttttttg")
        hear(bob, "ttttttttg")
    assert len(ann.tripped | bob.tripped) == 1
    assert not (ann.tripped and bob.tripped)


def test_an_issue_that_goes_on_is_judged_by_what_comes_then():
    ticks = Ticks()
    watch = Breaker(LocalBoard(ticks), ticks=ticks)
    hear(watch, "g" * 10)
    watch.tripped.clear()
    hear(watch, "g" * 20)  # what was under way when it was paused
    assert not watch.tripped
    ticks.now += 60
    hear(watch, "g" * 5 + "t" * 100)
    assert not watch.tripped
    hear(watch, "g" * 30)
    assert 1 in watch.tripped


def test_issues_are_judged_apart_and_other_letters_not_at_all():
    watch = Breaker(LocalBoard(), ticks=Ticks())
    hear(watch, "t" * 100, issue=1)
    hear(watch, "g" * 100, issue=2)
    hear(watch, "g" * 100, issue=None)
    assert list(watch.tripped) == [2]


def test_a_slow_relay_is_judged_as_a_fast_one():
    """One ring after the other carries a few letters, and most of them none that is refused."""
    watch = Breaker(LocalBoard(), ticks=Ticks())
    for n in range(100):
        hear(watch, "ttttg" if n % 4 == 0 else "ttttt")
    assert not watch.tripped
