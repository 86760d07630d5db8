"""How a relay's replies change the pace of all workers: slower, a rest, and recovery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.pace import attempt_window, throttle
from newsletter.mail.pace.attempt_window import AttemptWindow
from newsletter.mail.pace.shared_state import PaceState
from newsletter.mail.transport.transport import Outcome, Reply

START = 1000.0
CODES = st.text(alphabet="tgrscl", max_size=300)


def after(state: PaceState, codes: str, *, now: float = START, rate: float | None = 20) -> PaceState:
    return throttle.after(state, codes, rate=rate, now=now, why="421 4.7.0 later")


@pytest.mark.parametrize(
    ("outcome", "reply", "code"),
    [
        (Outcome.TAKEN, Reply(250, "2.0.0", "ok"), "t"),
        (Outcome.REFUSED, Reply(550, "5.1.1", "User unknown"), "g"),
        (Outcome.LATER, Reply(550, "5.7.26", "unauthenticated"), "r"),
        (
            Outcome.LATER,
            Reply(553, None, "bad sender"),
            "r",
        ),  # a reply to MAIL, before the recipient is known
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
def test_each_outcome_has_a_code_or_says_nothing(outcome, reply, code):
    assert attempt_window.outcome_code(outcome, reply) == code


@given(CODES)
def test_a_window_counts_the_newest_two_hundred(codes):
    window = AttemptWindow.of(codes)
    last = codes[-200:]
    assert window.seen == len(last)
    assert window.gone == last.count("g")
    assert window.refused <= window.against_us == sum(code in "rsc" for code in last)


@given(st.lists(CODES, max_size=30), st.one_of(st.none(), st.floats(0.5, 10_000)))
def test_the_limit_stays_between_the_slowest_pace_and_the_relays_rate(batches, rate):
    state, now = PaceState(), START
    for codes in batches:
        now += 0.7
        state = after(state, codes, now=now, rate=rate)
        limit = throttle.limit(state, rate=rate)
        assert limit is None or limit >= throttle.MIN_RATE or state.is_on_trial
        assert rate is None or limit <= rate
        assert len(state.marks) <= 200


@given(st.lists(CODES, max_size=30))
def test_the_window_does_not_depend_on_batches(batches):
    """This holds for all codes that do not make the relay rest."""
    codes = ["".join(code for code in batch if code in "tgl") for batch in batches]
    one_by_one = PaceState()
    for batch in codes:
        one_by_one = after(one_by_one, batch)
    assert one_by_one.marks == after(PaceState(), "".join(codes)).marks


def test_a_421_halves_the_pace_and_taken_letters_bring_it_back():
    state = after(after(PaceState(), "t" * 40, now=START), "cc", now=START + 2)
    assert throttle.limit(state, rate=20) == pytest.approx(10)
    limits = []
    for second in range(3, 40):
        state = after(state, "t" * 10, now=START + second)
        limits.append(throttle.limit(state, rate=20))
    assert limits == sorted(limits)
    assert limits[-1] == 20
    assert state.limit is None


def test_several_421_at_once_halve_the_pace_once():
    state = after(PaceState(), "t" * 100)
    for moment in range(5):
        state = after(state, "cccc", now=START + 2 + moment / 10)
    assert state.limit == pytest.approx(10)


@pytest.mark.parametrize(("every", "is_slowed"), [(100, False), (25, False), (10, True), (4, True)])
def test_few_slower_replies_are_about_recipients_and_many_are_about_us(every, is_slowed):
    state = PaceState()
    for second in range(10):
        batch = "".join("s" if n % every == 0 else "t" for n in range(1, 101))
        state = after(state, batch, now=START + second)
    assert (state.limit is not None or state.rests > 0) is is_slowed


def test_an_occasional_421_does_not_slow_the_pace():
    state = PaceState()
    for second in range(20):
        state = after(state, "t" * 99 + "c", now=START + second)
    assert state.limit is None


def test_a_relay_without_a_rate_is_slowed_down_from_its_measured_pace():
    state = PaceState()
    for second in range(6):
        state = after(state, "t" * 200, now=START + second, rate=None)
    state = after(state, "c" * 7, now=START + 6, rate=None)
    assert 80 <= throttle.limit(state, rate=None) <= 120
    for second in range(7, 200):
        state = after(state, "t", now=START + second, rate=None)
    assert throttle.limit(state, rate=None) is None


def test_refusals_of_more_than_a_fifth_because_of_us_make_the_relay_rest():
    assert after(PaceState(), "t" * 160 + "r" * 40).rest_until == 0
    state = after(PaceState(), "t" * 159 + "r" * 41)
    assert throttle.is_resting(state, START + 299)
    assert not throttle.is_resting(state, START + 301)
    assert not throttle.is_resting(state, START - 3600)  # the clock was set back


def test_a_relay_is_slowed_down_before_it_rests():
    state, lengths = PaceState(), []
    for second in range(10):
        state = after(state, "c" * 30, now=START + second)
        lengths.append((state.limit, state.rest_until))
    paces = [limit for limit, until in lengths if not until]
    assert paces == sorted(paces, reverse=True)
    assert len(paces) >= 4
    assert state.rests == 1


def test_a_few_refusals_count_only_if_all_attempts_were_refused():
    assert after(PaceState(), "r" * 9).rests == 0
    assert after(PaceState(), "r" * 9 + "t" + "r" * 9).rests == 0
    assert after(PaceState(), "r" * 10).rests == 1


def test_missing_mailboxes_and_greylisting_are_no_reason_to_rest():
    assert after(PaceState(), "g" * 100 + "l" * 100).rests == 0


def test_each_rest_is_longer_until_a_message_is_taken():
    state, now, lengths = after(PaceState(), "r" * 50), START, []
    for _ in range(6):
        lengths.append(state.rest_until - now)
        now = state.rest_until + 1
        assert throttle.limit(state, rate=20) == throttle.TRIAL_RATE
        assert after(state, "rr", now=now - 2) == state._replace(
            counted=after(state, "rr", now=now - 2).counted,
            counted_since=now - 2,
            measured=after(state, "rr", now=now - 2).measured,
        )  # attempts that were under way when the rest began
        state = after(state, "r", now=now)
    assert lengths == [300, 600, 1200, 2400, 3600, 3600]
    state = after(state, "t", now=state.rest_until + 1)
    assert throttle.limit(state, rate=20) == 20
    well = after(state, "t" * 200, now=state.rest_until + 2)
    assert well.rests == 0
