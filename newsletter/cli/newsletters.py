"""newsletter newsletters: begin a newsletter, list them, change the consent words."""

from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.consent import forms, subscribers, wordings

app = typer.Typer(
    help="Newsletters, and the words that people consent to.", no_args_is_help=True, rich_markup_mode=None
)

BOUNCES = "The domain whose addresses take bounces, such as bounces.example.org"


@app.command()
def add(
    slug: Annotated[str, typer.Argument(help="Its name in web addresses: a to z, 0 to 9 and -.")],
    name: Annotated[str, typer.Option(help="Its name, as readers see it.")],
    publisher: Annotated[str, typer.Option(help="Who publishes it and answers for it.")],
    sender: Annotated[str, typer.Option(help="The address that letters come from.")],
    postal_address: Annotated[str, typer.Option(help="Street and town: the law asks for it in every letter.")],
    description: Annotated[str, typer.Option(help="One or two sentences for the sign-up page.")] = "",
    reply_to: Annotated[str | None, typer.Option(help="Where answers go; by default the sender.")] = None,
    language: Annotated[str, typer.Option(help="Of the letters, such as en or de.")] = "en",
    zone: Annotated[str, typer.Option(help="In which times are shown, such as Europe/Berlin.")] = "UTC",
    brand: Annotated[str, typer.Option(help="A colour such as #0f5c6e.")] = "#0f5c6e",
    return_path_domain: Annotated[str | None, typer.Option(help=f"{BOUNCES}; by default the sender gets them.")] = None,
    wording: Annotated[str | None, typer.Option(help="The consent in your words; by default ours.")] = None,
    as_json: console.Json = False,
) -> None:
    """Begin a newsletter and publish its consent wording."""
    with console.database() as database, database.writing() as session:
        made = newsletters.add(
            session,
            slug=slug,
            name=name,
            publisher=publisher,
            sender=sender,
            postal_address=postal_address,
            description=description,
            reply_to=reply_to,
            language=language,
            zone=zone,
            brand=brand,
            return_path_domain=return_path_domain,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        words = wording or wordings.default_text(made)
        pages, now = templating.environment(), clock.now()
        forms.publish(session, pages, made, text=words, actor=audit_log.system_user(), now=now)
        answer = {"slug": made.slug, "list_id": made.list_id}
    console.show(answer, as_json=as_json, text=f"“{name}” begins. Its page is /n/{slug}; next: newsletter feeds add")


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the newsletters and how many readers each has."""
    with console.database() as database, database.reading() as session:
        rows = [
            {
                "slug": each.slug,
                "name": each.name,
                "sender": each.sender,
                "return_path_domain": each.return_path_domain,
                "readers": subscribers.count(session, each.id),
            }
            for each in newsletters.every(session)
        ]
    lines = [_line(row) for row in rows]
    console.show(
        rows, as_json=as_json, text="\n".join(lines) or "No newsletter yet. Begin one: newsletter newsletters add"
    )


def _line(row: dict[str, Any]) -> str:
    bounces = f", bounces to {row['return_path_domain']}" if row["return_path_domain"] else ""
    return f"{row['slug']:<20} {row['readers']:>8} readers  {row['name']}, from {row['sender']}{bounces}"


@app.command()
def change(
    slug: Annotated[str, typer.Argument(help="Which newsletter.")],
    return_path_domain: Annotated[str, typer.Option(help=f'{BOUNCES}; "" for none: the sender gets them.')],
    as_json: console.Json = False,
) -> None:
    """Change where bounces go; letters that leave from now on say so."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        newsletters.change(
            session, newsletter, return_path_domain=return_path_domain, actor=audit_log.system_user(), now=clock.now()
        )
        domain, sender = newsletter.return_path_domain, newsletter.sender
    where = f"an address at {domain} for each letter; its MX has to lead to your mail server" if domain else sender
    console.show({"slug": slug, "return_path_domain": domain}, as_json=as_json, text=f"Bounces go to {where}.")


@app.command()
def wording(
    slug: Annotated[str, typer.Argument(help="Which newsletter.")],
    text: Annotated[str, typer.Argument(help="The consent in full; it becomes a new version.")],
    as_json: console.Json = False,
) -> None:
    """Publish new consent words; who agreed to the old ones stays with the old ones in the proof."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        pages, now = templating.environment(), clock.now()
        new = forms.publish(session, pages, newsletter, text=text, actor=audit_log.system_user(), now=now)
        answer = {"wording": new.id, "version": new.version}
    console.show(answer, as_json=as_json, text=f"Version {answer['version']} is shown from now on.")
