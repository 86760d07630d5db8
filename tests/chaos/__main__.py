"""`make chaos`: run the scenarios and report."""

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
    """Run the scenarios and print the report; return the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="run only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random decisions")
    parser.add_argument("--short", action="store_true", help="run the short form, as CI does")
    parser.add_argument("--readers", type=int, help="number of readers; by default the scenario's")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--keep", type=Path, help="keep logs and arrivals in this folder")
    arguments = parser.parse_args()
    reports: list[Report] = []
    for name in arguments.scenario or named(short=arguments.short):
        sys.stderr.write(f"{name}: {SCENARIOS[name].description} ...\n")
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            folder = arguments.keep / name if arguments.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            reports.append(_report(name, arguments, folder))
        sys.stderr.write(report.table(reports[-1:]).partition("\n")[2] + "\n")
    sys.stdout.write((report.as_json(reports) if arguments.json else report.table(reports)) + "\n")
    return 0 if all(each.is_well for each in reports) else 1


def _report(name: str, arguments: argparse.Namespace, folder: Path) -> Report:
    output = io.StringIO()  # of the processes; printed only with errors, because stdout is for the report
    try:
        with redirect_stdout(output):
            result = run(name, seed=arguments.seed, short=arguments.short, folder=folder, readers=arguments.readers)
        if not result.is_well:
            sys.stderr.write(output.getvalue())
    except Exception as error:  # noqa: BLE001 - run the other scenarios all the same
        traceback.print_exc()
        sys.stderr.write(output.getvalue())
        counts = dict.fromkeys(("sent", "withheld", "failed", "cancelled", "unknown", "lost", "doubled"), 0)
        return Report(name, arguments.seed, 0, **counts, seconds=0, errors=[f"it raised {error!r}"])
    else:
        return result


if __name__ == "__main__":
    sys.exit(main())
