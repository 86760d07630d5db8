"""newsletter doctor: check the database's consistency and repair what can be derived."""

from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, key_registry, keys
from newsletter.cli import console, doctor_domain
from newsletter.doctor import examination
from newsletter.doctor.checks import expired_leases
from newsletter.doctor.checks.findings import Check, Finding, Remark
from newsletter.doctor.repairs import Repair, Repairer
from newsletter.errors import Misconfigured
from newsletter.keys import Keyring
from newsletter.mail.delivery import leases
from newsletter.settings import Settings
from newsletter.store.database import Database

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command()(doctor_domain.domain)

SOUND = "ok: each letter's deliveries add up to its audience, and subscriptions agree with the ledger"
KEYLESS = Remark("suppressed", "subscribers", "not compared with the suppressions: that takes the right secret keys")
RESTORE_KEYS = (
    "Restore the former NEWSLETTER_SECRET_KEYS, or the file secret_key in the data folder. Without them, links in sent "
    "letters do not work, and addresses that must never be written to are not recognized."
)


@app.callback()
def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Repair everything that can be derived from intact rows.")] = False,
    as_json: console.Json = False,
) -> None:
    """Check that every letter's deliveries add up and the ledger is intact; exit 1 if not.

    It also compares the secret keys with those that the database was used with. It reads the database only, so it
    cannot tell whether a relay delivered a letter, or delivered it more than once.
    """
    if context.invoked_subcommand:
        return
    settings = console.configured()
    with console.database(settings) as database:
        keyring, wrong_keys = _keyring(settings, database)  # most checks need no key
        findings = wrong_keys + _examine(database, keyring)
        repairs: list[Repair] = []
        if fix and (broken := {each.check for each in findings if each.fixable}):
            repairs = _repair(database, keyring, broken)
            findings = wrong_keys + _examine(database, keyring)
        with database.reading() as session:
            collected = examination.collect_remarks(
                session, now=clock.now(), is_public=not settings.is_local, desk_problem=settings.desk_problem
            )
            remarks = [*collected, *([] if keyring else [KEYLESS])]
    _show(findings, repairs, remarks, fix=fix, as_json=as_json)
    if findings:
        raise typer.Exit(1)


def _keyring(settings: Settings, database: Database) -> tuple[Keyring | None, list[Finding]]:
    """Return the keys, and what is wrong with them. Wrong keys are not returned: no check or repair may use them."""
    try:
        keyring = keys.load_if_present(settings)
    except Misconfigured as error:
        return None, [Finding(Check.KEYS, "secret keys", str(error))]
    with database.reading() as session:
        problems = key_registry.problems(session, keyring)
    findings = [Finding(Check.KEYS, "secret keys", says, remedy=RESTORE_KEYS) for says in problems]
    return None if findings else keyring, findings


def _examine(database: Database, keyring: Keyring | None) -> list[Finding]:
    with database.reading() as session:
        findings = examination.examine(session, keyring=keyring)
    return findings + expired_leases.findings(expired_leases.find_stopped(database.reading))


def _repair(database: Database, keyring: Keyring | None, broken: set[Check]) -> list[Repair]:
    expired = (
        expired_leases.find_stopped(database.reading, after=leases.LEASE_DURATION)
        if Check.DEAD_CLAIMS in broken
        else {}
    )
    repairer = Repairer(
        reading=database.reading,
        writing=database.writing,
        actor=audit_log.system_user(),
        now=clock.now,
        keyring=keyring,
    )
    return repairer.repair(broken, expired=expired)


def _show(findings: list[Finding], repairs: list[Repair], remarks: list[Remark], *, fix: bool, as_json: bool) -> None:
    lines = [f"repaired  {each.check}: {each.says}" for each in repairs]
    lines += [f"wrong     {each.check}: {each.about}: {each.says}{_hint(each, fix=fix)}" for each in findings]
    lines += [f"remark    {each.name}: {each.about}: {each.says}" for each in remarks]
    text = "\n".join(lines if findings else [SOUND, *lines])
    verdict: dict[str, Any] = {
        "verdict": "wrong" if findings else "ok",
        "findings": [each._asdict() for each in findings],
        "mended": [each._asdict() for each in repairs],
        "remarks": [each._asdict() for each in remarks],
    }
    console.show(verdict, as_json=as_json, text=text)


def _hint(finding: Finding, *, fix: bool) -> str:
    if not finding.fixable:
        return f"\n        {finding.remedy}" if finding.remedy else ""
    if fix:
        return (
            "\n        --fix could not repair it: the rows that it derives from are damaged, or it has changed since."
        )
    return "\n        Repair it: newsletter doctor --fix"
