"""`make upgrade`: let two releases send the same issue, as they do while one replaces the other."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.upgrade import release
from tests.upgrade.mixed_service import RATE, mixed_service
from tests.upgrade.refusals import Refusals
from tests.upgrade.release import Release
from tests.upgrade.roll import Roll


def main() -> int:
    words = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    which = words.add_mutually_exclusive_group(required=True)
    which.add_argument("--before", help="the revision to upgrade from; it is checked out and installed")
    which.add_argument("--before-folder", type=Path, help="the same in a folder that has its .venv")
    words.add_argument("--readers", type=int, default=1500)
    words.add_argument("--rate", type=float, default=RATE, help="letters a second")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--keep", type=Path, help="leave logs and letters in this folder")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with _before(given, folder) as before:
            errors, notes = perform(before, folder, readers=given.readers, rate=given.rate, seed=given.seed)
    sys.stdout.writelines(f"{note}\n" for note in notes)
    sys.stdout.writelines(f"WRONG: {error}\n" for error in errors)
    sys.stdout.write("The upgrade fails.\n" if errors else "The upgrade works.\n")
    return 1 if errors else 0


def perform(before: Release, folder: Path, *, readers: int, rate: float, seed: int) -> tuple[list[str], list[str]]:
    """Upgrade during one issue, and go back during another; return what is wrong, and what else to report."""
    with mixed_service(before, release.current(), folder, readers=readers, seed=seed, rate=rate) as service:
        rolls = [
            Roll(service, service.before, service.after, rate),
            Roll(service, service.after, service.before, rate),
        ]
        refusals = Refusals(service)
        for part in (*rolls, refusals):
            part.perform()
    old, new = (roll.names_in_redis for roll in rolls)
    errors = [error for part in (*rolls, refusals) for error in part.errors]
    errors += [f"only the new release writes {name} to Redis" for name in sorted(new - old)]
    notes = [note for part in (*rolls, refusals) for note in part.notes]
    notes.append(f"both releases write to Redis: {', '.join(sorted(new & old))}")
    notes += [f"only the old release writes {name} to Redis" for name in sorted(old - new)]
    return errors, notes


@contextmanager
def _before(given: argparse.Namespace, folder: Path) -> Iterator[Release]:
    if given.before_folder:
        yield release.ready(given.before_folder)
        return
    with release.checked_out(given.before, folder) as made:
        yield made


if __name__ == "__main__":
    sys.exit(main())
