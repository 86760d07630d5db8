"""newsletter operators: manage the operators of the desk, and show the audit log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.cli import console
from newsletter.errors import Misconfigured
from newsletter.keys import load_keyring
from newsletter.links import Links, Purpose
from newsletter.newsletters import Newsletter
from newsletter.operators import accounts, audit_search, grants, operator_links, operators
from newsletter.operators.audit_search import SUBJECTS, AuditFilter
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.settings import Settings

app = typer.Typer(help="Operators, their roles, and the audit log.", no_args_is_help=True, rich_markup_mode=None)

NOT_YET = "  (has no password yet)"
SubjectChoice = StrEnum("SubjectChoice", {name: name for name in SUBJECTS})  # type: ignore[misc]

AddressArgument = Annotated[str, typer.Argument(help="The operator's e-mail address.")]
SlugOptions = Annotated[
    list[str] | None,
    typer.Option("--newsletter", metavar="SLUG", help="Only for this newsletter; may be repeated. Default: all."),
]


@app.command()
def add(
    address: AddressArgument,
    role: Annotated[Role, typer.Option(help="Their permissions; each role includes those of the role before it.")],
    newsletter: SlugOptions = None,
    as_json: console.Json = False,
) -> None:
    """Add an operator, and print the link with which they choose a password; it works once, for 24 hours."""
    settings, now, actor = _settings_of_an_open_desk(), clock.now(), audit_log.system_user()
    with console.database(settings) as database, database.writing() as session:
        chosen = [newsletters.named(session, slug) for slug in newsletter] if newsletter else None
        operator = operators.add(session, address, role=role, newsletters=chosen, actor=actor, now=now)
        answer = {**_described(session, operator), **_linked(session, settings, operator, actor=actor, now=now)}
    what = f"{answer['address']} is operator {answer['operator']}: {_roles(answer['grants'])}."
    console.show(answer, as_json=as_json, text=f"{what}\n{_link_text(answer)}")


@app.command()
def invite(address: AddressArgument, as_json: console.Json = False) -> None:
    """Print a new link with which an operator chooses a password; older ones no longer work."""
    settings, now, actor = _settings_of_an_open_desk(), clock.now(), audit_log.system_user()
    with console.database(settings) as database, database.writing() as session:
        operator = operators.of_address(session, address)
        linked = _linked(session, settings, operator, actor=actor, now=now)
        answer = {"operator": operator.id, "address": operator.address, **linked}
    console.show(answer, as_json=as_json, text=_link_text(answer))


@app.command("drop-second-factor")
def drop_second_factor(address: AddressArgument, as_json: console.Json = False) -> None:
    """Ask an operator for the password alone, because their app and recovery codes are lost."""
    with console.database() as database, database.writing() as session:
        operator = operators.of_address(session, address)
        was_on = operator.totp_confirmed_at is not None
        accounts.drop_second_factor(session, operator, actor=audit_log.system_user(), now=clock.now())
        answer = {"operator": operator.id, "address": operator.address, "was_on": was_on}
    says = "is asked for no code any more" if was_on else "was asked for no code before either"
    console.show(answer, as_json=as_json, text=f"{answer['address']} {says}.")


@app.command()
def grant(
    address: AddressArgument,
    role: Annotated[Role, typer.Argument(help="Their new role.")],
    newsletter: SlugOptions = None,
    as_json: console.Json = False,
) -> None:
    """Give an operator a role, for all newsletters or for those that are named."""
    actor, now = audit_log.system_user(), clock.now()
    with console.database() as database, database.writing() as session:
        operator = operators.of_address(session, address)
        for each in _chosen(session, newsletter):
            operators.grant(session, operator, role, newsletter=each, actor=actor, now=now)
        answer = _described(session, operator)
    console.show(answer, as_json=as_json, text=f"{answer['address']}: {_roles(answer['grants'])}.")


@app.command()
def revoke(address: AddressArgument, newsletter: SlugOptions = None, as_json: console.Json = False) -> None:
    """Take an operator's role for the newsletters that are named, or without any the role for all newsletters."""
    actor, now = audit_log.system_user(), clock.now()
    with console.database() as database, database.writing() as session:
        operator = operators.of_address(session, address)
        for each in _chosen(session, newsletter):
            operators.revoke(session, operator, newsletter=each, actor=actor, now=now)
        answer = _described(session, operator)
    console.show(answer, as_json=as_json, text=f"{answer['address']}: {_roles(answer['grants'])}.")


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the operators and their roles."""
    with console.database() as database, database.reading() as session:
        rows = [
            {**_described(session, each), "created_at": each.created_at, "has_password": each.password_hash is not None}
            for each in operators.every(session)
        ]
    lines = [
        f"{row['operator']:>4}  {row['address']:<32}  {_roles(row['grants'])}{'' if row['has_password'] else NOT_YET}"
        for row in rows
    ]
    text = "\n".join(lines) or "No operators yet. Add one: newsletter operators add ADDRESS --role admin"
    console.show(rows, as_json=as_json, text=text)


@app.command()
def remove(address: AddressArgument, as_json: console.Json = False) -> None:
    """Remove an operator. The audit log keeps their changes under their number."""
    with console.database() as database, database.writing() as session:
        operator = operators.of_address(session, address)
        answer = {"operator": operator.id}
        operators.remove(session, operator, actor=audit_log.system_user(), now=clock.now())
    console.show(answer, as_json=as_json, text=f"Operator {answer['operator']} is removed.")


@app.command("acts")
def list_audit_log(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many of the newest entries to show.")] = 50,
    actor: Annotated[str | None, typer.Option(help="Only by operator:3, cli:USER, scheduler, worker or site.")] = None,
    newsletter: Annotated[str | None, typer.Option(help="Only about this newsletter, by its slug.")] = None,
    about: Annotated[SubjectChoice | None, typer.Option(help="Only about these.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only from this day on (UTC).")] = None,
    as_json: console.Json = False,
) -> None:
    """Show the audit log, newest last. Actors: operators, the command line (cli:USER), scheduler, workers, site."""
    with console.database() as database, database.reading() as session:
        wanted = AuditFilter(
            actor=actor,
            subject=about.value if about else None,
            newsletter_id=newsletters.named(session, newsletter).id if newsletter else None,
            since=since.replace(tzinfo=UTC) if since else None,
        )
        entries = audit_search.newest(session, wanted, limit=limit)
        rows = [_row(entry) for entry in reversed(entries)]
    console.show(rows, as_json=as_json, text="\n".join(map(_line, rows)) or "The audit log has no such entry.")


def _chosen(session: Session, slugs: list[str] | None) -> Sequence[Newsletter | None]:
    """Return the newsletters; None for all of them, also later ones."""
    return [newsletters.named(session, slug) for slug in slugs] if slugs else [None]


def _described(session: Session, operator: Operator) -> dict[str, Any]:
    held = grants.named(session, operator.id).get(operator.id, ())
    roles = {each.slug or grants.EVERYWHERE: each.role for each in held}
    return {"operator": operator.id, "address": operator.address, "grants": roles}


def _settings_of_an_open_desk() -> Settings:
    """Return the settings. Raises Misconfigured if the desk cannot be opened, because no link to it would work."""
    settings = console.configured()
    if settings.desk_problem:
        raise Misconfigured(settings.desk_problem)
    return settings


def _linked(session: Session, settings: Settings, operator: Operator, *, actor: str, now: datetime) -> dict[str, Any]:
    link = operator_links.make(session, operator, operator_links.purpose_for(operator), actor=actor, now=now)
    links = Links(load_keyring(settings), settings.base_url, settings.desk_url)
    url = links.url(Purpose.OPERATOR_LINK, link.id)
    return {"purpose": link.purpose.value, "link": url, "expires_at": link.expires_at}


def _link_text(answer: dict[str, Any]) -> str:
    until = f"{answer['expires_at']:%Y-%m-%d %H:%M} UTC"
    return f"This link lets them choose a password. It works once, until {until}:\n{answer['link']}"


def _roles(held: dict[str, str]) -> str:
    return ", ".join(f"{role} of {slug}" for slug, role in held.items()) or "no role"


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "verb": entry.verb,
        "subject": entry.subject,
        "fields": entry.shown_fields,
    }


def _line(row: dict[str, Any]) -> str:
    facts = ", ".join(f"{name}: {value}" for name, value in row["fields"].items())
    line = f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['actor']:<14} {row['verb']}  {row['subject']}"
    return f"{line}  ({facts})" if facts else line
