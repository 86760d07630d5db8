"""The figures of one measurement of sign-ups: answers, letters and processor time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from newsletter.bench.recording_sink import RecordedLetter
from newsletter.bench.signups.load import AnsweredVisitor, LoadResult
from newsletter.bench.signups.visitors import SignupVisitors

IN_TIME_SECONDS = 2.0  # from the form to the relay's 250
UNCOUNTED = ("load", "sink", "service")  # tools, told but not part of the service's cost, and the sum itself


@dataclass(frozen=True)
class SignupMeasurement:
    """What one run of the load generator did to the service."""

    visitors: SignupVisitors
    answers: Sequence[AnsweredVisitor]
    letters: Sequence[RecordedLetter]  # to these visitors
    load: LoadResult
    cpu: Mapping[str, float]  # seconds by process, until the last letter

    @property
    def figures(self) -> dict[str, Any]:
        """The measurement's part of the report, under stable names. Times in milliseconds run from POST."""
        accepted = [each for each in self.answers if each.status == 202]
        due = {self.visitors.address(each.number): each.due_at for each in accepted}
        letters = [each for each in self.letters if each.recipients[0] in due]
        arrived = {each.recipients[0]: each.taken_at for each in reversed(letters)}
        waits = sorted(arrived[address] - at for address, at in due.items() if address in arrived)
        begin = min((each.due_at for each in self.answers), default=0.0)
        last_answer = max((each.answered_at for each in self.answers), default=0.0)
        last_letter = max(arrived.values(), default=0.0)
        return {
            "signups": len(accepted),
            "refused": len(self.answers) - len(accepted),
            "unanswered": self.load.sent - len(self.answers),
            "answers_per_second": _rate(len(accepted), last_answer - begin),
            "answers": _milliseconds([each.answered_at - each.due_at for each in accepted]),
            "letters": len(arrived),
            "lost": len(due) - len(arrived),
            "doubled": len(letters) - len(arrived),
            "to_the_relay": _milliseconds(waits),
            "in_time": round(sum(wait <= IN_TIME_SECONDS for wait in waits) / len(waits), 4) if waits else None,
            "letters_per_second": _rate(len(arrived), last_letter - begin),
            "seconds_to_last_answer": round(last_answer - begin, 2),
            "seconds_to_last_letter": round(max(0.0, last_letter - begin), 2),
            "cpu_ms_per_signup": self._costs(len(accepted)),
            "load_late_ms": self.load.late_ms,
        }

    def _costs(self, signups: int) -> dict[str, float]:
        """Return milliseconds of processor time by process, `service` being the sum of those that count."""
        costs = {
            name: seconds * 1000 / max(1, signups) for name, seconds in {**self.cpu, "load": self.load.cpu}.items()
        }
        costs["service"] = sum(cost for name, cost in costs.items() if name not in UNCOUNTED)
        return {name: round(cost, 3) for name, cost in sorted(costs.items())}


def _rate(number: int, seconds: float) -> float | None:
    return round(number / seconds, 1) if seconds > 0 else None


def _milliseconds(seconds: Sequence[float]) -> dict[str, float | None]:
    values = [each * 1000 for each in seconds]
    percentiles = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return {
        "p50_ms": round(percentiles[49], 1) if values else None,
        "p99_ms": round(percentiles[98], 1) if values else None,
        "longest_ms": round(max(values), 1) if values else None,
    }


def by_program(cpu: Mapping[str, float]) -> dict[str, float]:
    """Return processor seconds by program: the processes of PostgreSQL and of the workers are added up."""
    programs: dict[str, float] = {}
    for name, seconds in cpu.items():
        program = name.partition(":")[0].partition(" ")[0]
        programs[program] = programs.get(program, 0.0) + seconds
    return programs
