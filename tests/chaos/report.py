"""The report: a line for each scenario, and what was wrong."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Report:
    scenario: str
    seed: int
    audience: int
    sent: int
    withheld: int
    failed: int
    cancelled: int
    unknown: int
    lost: int
    doubled: int
    seconds: float
    may_be_doubled: int = 0
    errors: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    @property
    def is_well(self) -> bool:
        return not self.errors


COLUMNS = ("audience", "sent", "withheld", "failed", "unknown", "lost", "doubled", "seconds")


def table(reports: Sequence[Report]) -> str:
    wide = max((len(one.scenario) for one in reports), default=0) + 2
    head = "scenario".ljust(wide) + "".join(name.rjust(10) for name in COLUMNS)
    return "\n".join([head, *(_rows(one, wide) for one in reports)])


def _rows(one: Report, wide: int) -> str:
    values = [f"{getattr(one, name):,}" if name != "seconds" else f"{one.seconds:.1f}" for name in COLUMNS]
    row = one.scenario.ljust(wide) + "".join(value.rjust(10) for value in values)
    said = [*(f"  WRONG: {error}" for error in one.errors), *(f"  {note}" for note in one.notes)]
    return "\n".join([row, *said])


def as_json(reports: Sequence[Report]) -> str:
    return json.dumps([{**asdict(one), "is_well": one.is_well} for one in reports], indent=2)
