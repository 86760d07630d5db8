"""newsletter newsletters: begin a newsletter, list them, change the consent words."""

from typing import Annotated

import typer

from newsletter import newsletters, templating
from newsletter.cli import house
from newsletter.consent import subscribers, wordings
from newsletter.web import forms

app = typer.Typer(help="Newsletters, and the words that people consent to.", no_args_is_help=True)


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
    wording: Annotated[str | None, typer.Option(help="The consent in your words; by default ours.")] = None,
    as_json: house.Json = False,
) -> None:
    """Begin a newsletter and publish its consent wording."""
    with house.database() as database, database.writing() as session:
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
            actor=house.actor(),
            now=house.now(),
        )
        words = wording or wordings.default_text(made)
        pages, now = templating.environment(), house.now()
        forms.publish(session, pages, made, text=words, actor=house.actor(), now=now)
        answer = {"slug": made.slug, "list_id": made.list_id}
    house.show(answer, as_json=as_json, text=f"“{name}” begins. Its page is /n/{slug}; next: newsletter feeds add")


@app.command("list")
def listed(as_json: house.Json = False) -> None:
    """List the newsletters and how many readers each has."""
    with house.database() as database, database.reading() as session:
        rows = [
            {
                "slug": each.slug,
                "name": each.name,
                "sender": each.sender,
                "readers": subscribers.count(session, each.id),
            }
            for each in newsletters.every(session)
        ]
    lines = [f"{row['slug']:<20} {row['readers']:>8} readers  {row['name']}, from {row['sender']}" for row in rows]
    house.show(
        rows, as_json=as_json, text="\n".join(lines) or "No newsletter yet. Begin one: newsletter newsletters add"
    )


@app.command()
def wording(
    slug: Annotated[str, typer.Argument(help="Which newsletter.")],
    text: Annotated[str, typer.Argument(help="The consent in full; it becomes a new version.")],
    as_json: house.Json = False,
) -> None:
    """Publish new consent words; who agreed to the old ones stays with the old ones in the proof."""
    with house.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        pages, now = templating.environment(), house.now()
        new = forms.publish(session, pages, newsletter, text=text, actor=house.actor(), now=now)
        answer = {"wording": new.id, "version": new.version}
    house.show(answer, as_json=as_json, text=f"Version {answer['version']} is shown from now on.")
