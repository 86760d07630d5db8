"""newsletter sites: register the sites that may show a newsletter's sign-up form, list them, remove them."""

from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, newsletters, registered_sites
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import Slug

app = typer.Typer(help="Sites that may show a newsletter's sign-up form.", no_args_is_help=True, rich_markup_mode=None)

RegisteredOrigin = Annotated[
    str, typer.Argument(help="Address of the site, or of any of its pages, such as https://www.example.org.")
]


@app.command()
def add(slug: Slug, origin: RegisteredOrigin, as_json: console.Json = False) -> None:
    """Let a site show the newsletter's form. example.org and www.example.org are two sites."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        site = registered_sites.register(
            session, newsletter, origin, actor=audit_log.system_user(), now=clock.now()
        ).origin
    console.show(
        {"slug": slug, "origin": site}, as_json=as_json, text=f"{site} may show the form of “{slug}”, within seconds."
    )


@app.command()
def remove(slug: Slug, origin: RegisteredOrigin, as_json: console.Json = False) -> None:
    """Let a site no longer show the newsletter's form: sign-ups on it are refused, and led to the hosted page."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        site = registered_sites.remove(session, newsletter, origin, actor=audit_log.system_user(), now=clock.now())
    console.show(
        {"slug": slug, "origin": site},
        as_json=as_json,
        text=f"{site} is removed from “{slug}”: within seconds, sign-ups on it are refused.",
    )


@app.command("list")
def listed(
    slug: Annotated[str | None, typer.Argument(help="The newsletter's slug; by default all newsletters.")] = None,
    as_json: console.Json = False,
) -> None:
    """List the registered sites."""
    with console.database() as database, database.reading() as session:
        shown = [newsletters.named(session, slug)] if slug else newsletters.every(session)
        rows: list[dict[str, Any]] = [
            {"slug": each.slug, "origin": site.origin, "registered_at": site.registered_at}
            for each in shown
            for site in registered_sites.of(session, each.id)
        ]
    lines = [f"{row['slug']:<20} {row['registered_at']:%Y-%m-%d %H:%M} UTC  {row['origin']}" for row in rows]
    console.show(
        rows, as_json=as_json, text="\n".join(lines) or "No sites yet. Register one: newsletter sites add SLUG ADDRESS"
    )
