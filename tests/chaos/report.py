"""The chaos report: a line for each scenario, with its errors."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Report:
    """The result of one scenario; the field names are JSON keys."""

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
        """Whether there was no error."""
        return not self.errors


COLUMNS = ("audience", "sent", "withheld", "failed", "unknown", "lost", "doubled", "seconds")


def table(reports: Sequence[Report]) -> str:
    """Return the reports as a text table."""
    width = max((len(one.scenario) for one in reports), default=0) + 2
    head = "scenario".ljust(width) + "".join(name.rjust(10) for name in COLUMNS)
    return "\n".join([head, *(_rows(one, width) for one in reports)])


def _rows(one: Report, width: int) -> str:
    values = [f"{getattr(one, name):,}" if name != "seconds" else f"{one.seconds:.1f}" for name in COLUMNS]
    row = one.scenario.ljust(width) + "".join(value.rjust(10) for value in values)
    details = [*(f"  WRONG: {error}" for error in one.errors), *(f"  {note}" for note in one.notes)]
    return "\n".join([row, *details])


def as_json(reports: Sequence[Report]) -> str:
    """Return the reports as JSON."""
    return json.dumps([{**asdict(one), "is_well": one.is_well} for one in reports], indent=2)
