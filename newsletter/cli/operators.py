"""newsletter operators: manage the operators of the desk, and show the audit log."""

from typing import Annotated, Any

import typer

from newsletter import audit_log, clock
from newsletter.audit_log import AuditEntry
from newsletter.cli import console
from newsletter.operators import operators
from newsletter.operators.roles import Role

app = typer.Typer(help="Operators, their roles, and the audit log.", no_args_is_help=True, rich_markup_mode=None)

AddressArgument = Annotated[str, typer.Argument(help="The operator's e-mail address.")]


@app.command()
def add(
    address: AddressArgument,
    role: Annotated[Role, typer.Option(help="Their permissions; each role includes those of the role before it.")],
    as_json: console.Json = False,
) -> None:
    """Add an operator, who may then work at the desk."""
    with console.database() as database, database.writing() as session:
        operator = operators.add(session, address, role=role, actor=audit_log.system_user(), now=clock.now())
        answer = {"operator": operator.id, "address": operator.address, "role": operator.role.value}
    console.show(answer, as_json=as_json, text=f"{answer['address']} is operator {answer['operator']}: {role}.")


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the operators and their roles."""
    with console.database() as database, database.reading() as session:
        rows = [
            {"operator": each.id, "address": each.address, "role": each.role.value, "created_at": each.created_at}
            for each in operators.every(session)
        ]
    lines = [f"{row['operator']:>4}  {row['role']:<10} {row['address']}" for row in rows]
    text = "\n".join(lines) or "No operators yet. Add one: newsletter operators add"
    console.show(rows, as_json=as_json, text=text)


@app.command("role")
def assign(
    address: AddressArgument,
    role: Annotated[Role, typer.Argument(help="Their new role.")],
    as_json: console.Json = False,
) -> None:
    """Give an operator another role."""
    with console.database() as database, database.writing() as session:
        operator = operators.of_address(session, address)
        operators.assign(session, operator, role, actor=audit_log.system_user(), now=clock.now())
        answer = {"operator": operator.id, "address": operator.address, "role": operator.role.value}
    console.show(answer, as_json=as_json, text=f"{answer['address']} now has the role {role}.")


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
    as_json: console.Json = False,
) -> None:
    """Show the audit log, newest last. Actors: operators, the command line (cli:USER), scheduler, workers, site."""
    with console.database() as database, database.reading() as session:
        rows = [_row(entry) for entry in audit_log.newest(session, limit=limit)]
    console.show(rows, as_json=as_json, text="\n".join(map(_line, rows)) or "The audit log is empty.")


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
