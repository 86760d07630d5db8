"""What a relay's answers do to the pace of all: slower, a rest, and back to speed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.pace import attempt_window, throttle
from newsletter.mail.pace.attempt_window import AttemptWindow
from newsletter.mail.pace.shared_state import PaceState
from newsletter.mail.transport.transport import Outcome, Reply, Result
from tests.clock import NOON

START = 1000.0
MARKS = st.text(alphabet="tgrscl", max_size=300)


def after(notes: PaceState, heard: str, *, now: float = START, rate: float | None = 20) -> PaceState:
    return throttle.after(notes, heard, rate=rate, now=now, why="421 4.7.0 later")


@pytest.mark.parametrize(
    ("outcome", "reply", "mark"),
    [
        (Outcome.TAKEN, Reply(250, "2.0.0", "ok"), "t"),
        (Outcome.REFUSED, Reply(550, "5.1.1", "User unknown"), "g"),
        (Outcome.LATER, Reply(550, "5.7.26", "unauthenticated"), "r"),
        (Outcome.LATER, Reply(553, None, "bad sender"), "r"),  # in answer to MAIL: nobody has heard of the reader yet
        (Outcome.LATER, Reply(552, "5.2.2", "mailbox full"), "l"),
        (Outcome.LATER, Reply(450, "4.7.1", "too much mail"), "s"),
        (Outcome.LATER, Reply(451, "4.7.1", "Greylisted, come back later"), "l"),
        (Outcome.LATER, Reply(421, "4.3.2", "shutting down"), "c"),
        (Outcome.LATER, Reply(421, "4.7.0", "Error: too many errors"), "l"),
        (Outcome.REFUSED, Reply(None, "5.1.3", "this address cannot be written into an envelope"), ""),
        (Outcome.LATER, Reply(None, None, "Connection reset by peer"), ""),
        (Outcome.UNTOUCHED, Reply(421, "4.3.2", "shutting down"), ""),
        (Outcome.IN_DOUBT, None, ""),
    ],
)
def test_each_attempt_leaves_a_mark_or_tells_nothing(outcome, reply, mark):
    assert attempt_window.code_of(Result(1, 1, outcome, reply, NOON)) == mark


@given(MARKS)
def test_a_window_counts_the_newest_two_hundred(heard):
    window = AttemptWindow.of(heard)
    last = heard[-200:]
    assert window.seen == len(last)
    assert window.gone == last.count("g")
    assert window.refused <= window.against_us == sum(mark in "rsc" for mark in last)


@given(st.lists(MARKS, max_size=30), st.one_of(st.none(), st.floats(0.5, 10_000)))
def test_the_limit_stays_between_the_slowest_pace_and_the_relays_rate(batches, rate):
    notes, now = PaceState(), START
    for heard in batches:
        now += 0.7
        notes = after(notes, heard, now=now, rate=rate)
        limit = throttle.limit(notes, rate=rate)
        assert limit is None or limit >= throttle.SLOWEST or notes.is_on_trial
        assert rate is None or limit <= rate
        assert len(notes.marks) <= 200


@given(st.lists(MARKS, max_size=30))
def test_in_what_batches_marks_arrive_does_not_matter_to_the_window(batches):
    """Whatever is heard, as long as nothing makes the relay rest."""
    heard = ["".join(mark for mark in batch if mark in "tgl") for batch in batches]
    one_by_one = PaceState()
    for batch in heard:
        one_by_one = after(one_by_one, batch)
    assert one_by_one.marks == after(PaceState(), "".join(heard)).marks


def test_a_421_halves_the_pace_and_taken_letters_bring_it_back():
    notes = after(after(PaceState(), "t" * 40, now=START), "cc", now=START + 2)
    assert throttle.limit(notes, rate=20) == pytest.approx(10)
    limits = []
    for second in range(3, 40):
        notes = after(notes, "t" * 10, now=START + second)
        limits.append(throttle.limit(notes, rate=20))
    assert limits == sorted(limits)
    assert limits[-1] == 20
    assert notes.limit is None


def test_many_at_once_halve_it_once():
    notes = after(PaceState(), "t" * 100)
    for moment in range(5):
        notes = after(notes, "cccc", now=START + 2 + moment / 10)
    assert notes.limit == pytest.approx(10)


@pytest.mark.parametrize(("every", "is_slowed"), [(100, False), (25, False), (10, True), (4, True)])
def test_one_in_a_hundred_told_to_come_back_is_about_readers_and_a_storm_is_about_us(every, is_slowed):
    notes = PaceState()
    for second in range(10):
        batch = "".join("s" if n % every == 0 else "t" for n in range(1, 101))
        notes = after(notes, batch, now=START + second)
    assert (notes.limit is not None or notes.rests > 0) is is_slowed


def test_a_421_now_and_then_ends_a_connection_and_slows_nobody_down():
    notes = PaceState()
    for second in range(20):
        notes = after(notes, "t" * 99 + "c", now=START + second)
    assert notes.limit is None


def test_a_relay_without_a_rate_is_slowed_down_from_the_pace_that_it_had():
    notes = PaceState()
    for second in range(6):
        notes = after(notes, "t" * 200, now=START + second, rate=None)
    notes = after(notes, "c" * 7, now=START + 6, rate=None)
    assert 80 <= throttle.limit(notes, rate=None) <= 120
    for second in range(7, 200):
        notes = after(notes, "t", now=START + second, rate=None)
    assert throttle.limit(notes, rate=None) is None


def test_more_than_a_fifth_held_against_us_makes_the_relay_rest():
    assert after(PaceState(), "t" * 160 + "r" * 40).rest_until == 0
    notes = after(PaceState(), "t" * 159 + "r" * 41)
    assert throttle.is_resting(notes, START + 299)
    assert not throttle.is_resting(notes, START + 301)
    assert not throttle.is_resting(notes, START - 3600)  # by a clock that was set back


def test_who_is_told_to_slow_down_does_before_it_rests():
    notes, lengths = PaceState(), []
    for second in range(10):
        notes = after(notes, "c" * 30, now=START + second)
        lengths.append((notes.limit, notes.rest_until))
    paces = [limit for limit, until in lengths if not until]
    assert paces == sorted(paces, reverse=True)
    assert len(paces) >= 4
    assert notes.rests == 1


def test_a_few_attempts_tell_nothing_unless_all_are_alike():
    assert after(PaceState(), "r" * 9).rests == 0
    assert after(PaceState(), "r" * 9 + "t" + "r" * 9).rests == 0
    assert after(PaceState(), "r" * 10).rests == 1


def test_what_is_gone_or_greylisted_is_no_reason_to_rest():
    assert after(PaceState(), "g" * 100 + "l" * 100).rests == 0


def test_each_rest_is_longer_until_a_letter_is_taken():
    notes, now, lengths = after(PaceState(), "r" * 50), START, []
    for _ in range(6):
        lengths.append(notes.rest_until - now)
        now = notes.rest_until + 1
        assert throttle.limit(notes, rate=20) == throttle.TRIAL
        assert after(notes, "rr", now=now - 2) == notes._replace(
            counted=after(notes, "rr", now=now - 2).counted,
            counted_since=now - 2,
            measured=after(notes, "rr", now=now - 2).measured,
        )  # what was under way when it began
        notes = after(notes, "r", now=now)
    assert lengths == [300, 600, 1200, 2400, 3600, 3600]
    notes = after(notes, "t", now=notes.rest_until + 1)
    assert throttle.limit(notes, rate=20) == 20
    well = after(notes, "t" * 200, now=notes.rest_until + 2)
    assert well.rests == 0
