"""newsletter doctor: whether the books agree."""

import typer

from newsletter.cli import house
from newsletter.post import doctor as examination


def doctor(as_json: house.Json = False) -> None:
    """Prove that every letter's sums are right and the ledger is whole; exit 1 with what is not."""
    with house.database() as database, database.reading() as session:
        findings = examination.examine(session)
    text = "\n".join(f"{finding.about}: {finding.says}" for finding in findings) or "ok: nothing is missing or doubled"
    verdict = {"verdict": "wrong" if findings else "ok", "findings": [finding._asdict() for finding in findings]}
    house.show(verdict, as_json=as_json, text=text)
    if findings:
        raise typer.Exit(1)
