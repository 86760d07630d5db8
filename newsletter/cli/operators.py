"""newsletter operators: who may work at the desk, and who changed what."""

from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, operators
from newsletter.audit_log import AuditEntry
from newsletter.cli import console
from newsletter.operators import Role

app = typer.Typer(
    help="Operators, and the acts that they are answerable for.", no_args_is_help=True, rich_markup_mode=None
)

AddressArgument = Annotated[str, typer.Argument(help="The operator's e-mail address.")]


@app.command()
def add(
    address: AddressArgument,
    role: Annotated[Role, typer.Option(help="What they may do; each role may all that the one before it may.")],
    as_json: console.Json = False,
) -> None:
    """Let somebody work at the desk."""
    with console.database() as database, database.writing() as session:
        made = operators.add(session, address, role=role, actor=audit_log.system_user(), now=clock.now())
        answer = {"operator": made.id, "address": made.address, "role": made.role.value}
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
    text = "\n".join(lines) or "No operator yet. Add one: newsletter operators add"
    console.show(rows, as_json=as_json, text=text)


@app.command("role")
def assign(
    address: AddressArgument,
    role: Annotated[Role, typer.Argument(help="Their new role.")],
    as_json: console.Json = False,
) -> None:
    """Give an operator another role."""
    with console.database() as database, database.writing() as session:
        found = operators.of_address(session, address)
        operators.assign(session, found, role, actor=audit_log.system_user(), now=clock.now())
        answer = {"operator": found.id, "address": found.address, "role": found.role.value}
    console.show(answer, as_json=as_json, text=f"{answer['address']} is {role} from now on.")


@app.command()
def remove(address: AddressArgument, as_json: console.Json = False) -> None:
    """End an operator's work at the desk; what they did stays among the acts, under their number."""
    with console.database() as database, database.writing() as session:
        found = operators.of_address(session, address)
        answer = {"operator": found.id}
        operators.remove(session, found, actor=audit_log.system_user(), now=clock.now())
    console.show(answer, as_json=as_json, text=f"Operator {answer['operator']} is removed.")


@app.command("acts")
def listed_acts(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many of the newest.")] = 50,
    as_json: console.Json = False,
) -> None:
    """Who changed what, the newest last: persons, the command line (cli:USER), the scheduler, workers, the site."""
    with console.database() as database, database.reading() as session:
        rows = [_row(act) for act in audit_log.newest(session, limit=limit)]
    console.show(rows, as_json=as_json, text="\n".join(map(_line, rows)) or "Nobody has changed anything yet.")


def _row(act: AuditEntry) -> dict[str, Any]:
    return {"at": act.at, "actor": act.actor, "verb": act.verb, "subject": act.subject, "fields": act.fields}


def _line(row: dict[str, Any]) -> str:
    facts = ", ".join(f"{name}: {value}" for name, value in row["fields"].items())
    line = f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['actor']:<14} {row['verb']}  {row['subject']}"
    return f"{line}  ({facts})" if facts else line
