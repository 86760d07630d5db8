"""Slots: downloads side by side, of which a slow one delays neither the others nor the call."""

from collections.abc import Iterator
from threading import Event, Lock

import pytest

from newsletter.content.downloading.slots import DownloadSlots, FreeSlots, SlotWork
from tests.waiting import eventually

LONG = 60.0  # seconds that no test waits for


class Supply:
    """Work that is due, and what has been done of it."""

    def __init__(self, *due: SlotWork) -> None:
        self.due = list(due)
        self.offered: list[FreeSlots] = []

    def claim(self, free: FreeSlots) -> list[SlotWork]:
        self.offered.append(free)
        costly = [work for work in self.due if work.is_costly][: free.costly]
        claimed = [*costly, *(work for work in self.due if not work.is_costly)][: free.number]
        self.due = [work for work in self.due if work not in claimed]
        return claimed


def begun_by_calls(slots: DownloadSlots, supply: Supply, number: int) -> int:
    """Run short calls until so many pieces have begun, as a busy machine may need several; return how many have."""
    begun = 0

    def all_have_begun() -> bool:
        nonlocal begun
        begun += slots.run(supply.claim, seconds=0.1)
        return begun >= number

    eventually(all_have_begun)
    return begun


def nothing() -> None:
    """Be done at once."""


class Hanging:
    """Work that hangs until the test ends it."""

    def __init__(self) -> None:
        self.end = Event()
        self.running = 0
        self._lock = Lock()

    def __call__(self) -> None:
        with self._lock:
            self.running += 1
        self.end.wait(LONG)
        with self._lock:
            self.running -= 1


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    work = Hanging()
    yield work
    work.end.set()


def test_all_work_that_is_due_is_done():
    done = []
    supply = Supply(*(SlotWork(lambda number=number: done.append(number)) for number in range(20)))
    slots = DownloadSlots(3)
    assert slots.run(supply.claim, seconds=LONG) == 20
    assert sorted(done) == list(range(20))
    assert max(free.number for free in supply.offered) <= 3


def test_at_most_the_limit_is_claimed():
    supply = Supply(*(SlotWork(nothing) for _ in range(20)))
    assert DownloadSlots(3).run(supply.claim, seconds=LONG, limit=5) == 5
    assert len(supply.due) == 15


def test_work_that_hangs_delays_no_other_work(hanging):
    supply = Supply(SlotWork(hanging), *(SlotWork(nothing) for _ in range(20)))
    assert begun_by_calls(DownloadSlots(2), supply, 21) == 21
    assert supply.due == []
    assert hanging.running == 1


def test_a_call_ends_in_time_although_all_slots_hang_and_the_next_one_uses_what_has_become_free(hanging):
    slots = DownloadSlots(2)
    supply = Supply(*(SlotWork(hanging) for _ in range(3)))
    assert begun_by_calls(slots, supply, 2) == 2
    assert slots.run(supply.claim, seconds=0.1) == 0
    hanging.end.set()
    assert slots.run(supply.claim, seconds=LONG) == 1
    assert slots.wait(LONG)


def test_slow_work_gives_its_slot_to_other_work(hanging):
    slots = DownloadSlots(2, slow=2, slow_after=0.05)
    supply = Supply(*(SlotWork(hanging) for _ in range(9)))
    assert begun_by_calls(slots, supply, 4) == 4
    slots.run(supply.claim, seconds=0.2)
    eventually(lambda: hanging.running == 4)
    assert len(supply.due) == 5


def test_costly_work_leaves_slots_for_other_work(hanging):
    slots = DownloadSlots(4, costly=1)
    supply = Supply(*(SlotWork(hanging, is_costly=True) for _ in range(5)), *(SlotWork(nothing) for _ in range(9)))
    assert begun_by_calls(slots, supply, 1 + 9) == 1 + 9
    hanging.end.set()
    assert slots.wait(LONG)
    assert slots.run(supply.claim, seconds=LONG) == 4


def test_once_the_process_has_to_end_no_work_begins_and_no_call_waits(hanging):
    stop = Event()
    slots = DownloadSlots(2, stop=stop)

    def end_soon(free: FreeSlots) -> list[SlotWork]:
        stop.set()
        return [SlotWork(hanging)]

    assert slots.run(end_soon, seconds=LONG) == 1
    assert slots.run(Supply(SlotWork(nothing)).claim, seconds=LONG) == 0
    assert not slots.wait(0)


def test_an_error_of_work_is_raised_by_its_call_and_frees_the_slot():
    slots = DownloadSlots(1)
    with pytest.raises(ZeroDivisionError):
        slots.run(Supply(SlotWork(fail)).claim, seconds=LONG)
    assert slots.run(Supply(SlotWork(nothing)).claim, seconds=LONG) == 1


def test_an_error_after_the_end_of_the_call_is_logged(hanging, caplog):
    def fail_late() -> None:
        hanging()
        raise ZeroDivisionError

    assert begun_by_calls(DownloadSlots(1), Supply(SlotWork(fail_late)), 1) == 1
    hanging.end.set()
    eventually(lambda: "ZeroDivisionError" in caplog.text)


def fail() -> None:
    raise ZeroDivisionError
