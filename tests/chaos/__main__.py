"""`make chaos`: perform the scenarios and report."""

import argparse
import io
import sys
import tempfile
import traceback
from contextlib import redirect_stdout
from pathlib import Path

from tests.chaos import report
from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS, named, run


def main() -> int:
    words = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    words.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    words.add_argument("--seed", type=int, default=1, help="what is random is the same for the same seed")
    words.add_argument("--short", action="store_true", help="the form that CI runs")
    words.add_argument("--readers", type=int, help="how many, instead of what the scenario needs")
    words.add_argument("--json", action="store_true", help="the report as JSON on stdout")
    words.add_argument("--keep", type=Path, help="leave logs and arrivals in this folder")
    given = words.parse_args()
    reports: list[Report] = []
    for name in given.scenario or named(short=given.short):
        sys.stderr.write(f"{name}: {SCENARIOS[name].says} ...\n")
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            folder = given.keep / name if given.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            reports.append(_performed(name, given, folder))
        sys.stderr.write(report.table(reports[-1:]).partition("\n")[2] + "\n")
    sys.stdout.write((report.as_json(reports) if given.json else report.table(reports)) + "\n")
    return 0 if all(each.is_well for each in reports) else 1


def _performed(name: str, given: argparse.Namespace, folder: Path) -> Report:
    said = io.StringIO()  # by the processes; it is of interest where something is wrong, and stdout is for the report
    try:
        with redirect_stdout(said):
            made = run(name, seed=given.seed, short=given.short, folder=folder, readers=given.readers)
        if not made.is_well:
            sys.stderr.write(said.getvalue())
    except Exception as error:  # noqa: BLE001 - the other scenarios are performed all the same
        traceback.print_exc()
        sys.stderr.write(said.getvalue())
        nothing = dict.fromkeys(("sent", "withheld", "failed", "cancelled", "unknown", "lost", "doubled"), 0)
        return Report(name, given.seed, 0, **nothing, seconds=0, errors=[f"it broke off: {error!r}"])
    else:
        return made


if __name__ == "__main__":
    sys.exit(main())
