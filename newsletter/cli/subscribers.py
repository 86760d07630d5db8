"""newsletter subscribers: show a person, end subscriptions on their word, and allow one letter after "never"."""

from datetime import datetime
from typing import Annotated, Any

import typer

from newsletter import addresses, audit_log, clock, newsletters, startup
from newsletter.cli import console
from newsletter.consent.decisions import operator_decisions
from newsletter.consent.subscribers import reader_choices, subscribers
from newsletter.consent.subscribers.subscribers import Subscription
from newsletter.errors import NotFound
from newsletter.keys import load_if_present, load_keyring
from newsletter.newsletters import Newsletter

app = typer.Typer(help="What an operator decides about a person.", no_args_is_help=True, rich_markup_mode=None)

ReaderAddress = Annotated[str, typer.Argument(help="The person's e-mail address.")]


@app.command()
def show(address: ReaderAddress, as_json: console.Json = False) -> None:
    """Show what a person chose and which newsletters come to this address."""
    key = addresses.parse(address, field="address").key
    now = clock.now()
    with console.database() as database, database.reading() as session:
        reader = subscribers.by_key(session, key)
        if reader is None:
            raise NotFound("No subscriber has that address.")
        found = subscribers.subscriptions(session, reader.id)
        named = {each.id: each for each in newsletters.every(session)}
        rows = [_subscription(named[number], each, now=now) for number, each in sorted(found.items())]
        chosen = {"name": reader.name, "language": reader.language, "zone": reader.zone}
        facts = {"address": reader.address, **chosen, "suppressed": reader.suppressed, "newsletters": rows}
    lines = [f"{field.capitalize()}: {value or 'none'}" for field, value in facts.items() if field != "newsletters"]
    console.show(facts, as_json=as_json, text="\n".join([*lines, *map(_in_words, rows)]))


def _subscription(about: Newsletter, subscription: Subscription, *, now: datetime) -> dict[str, Any]:
    paused_until = subscription.paused_until
    return {
        "slug": about.slug,
        "standing": subscription.standing.value,
        "since": subscription.since,
        "language": subscription.language or about.language,
        "is_paused": reader_choices.is_paused(paused_until, now=now),
        "paused_until": None if reader_choices.is_open(paused_until) else paused_until,
    }


def _in_words(row: dict[str, Any]) -> str:
    since = f"{row['slug']}: {row['standing']} since {row['since']:%Y-%m-%d %H:%M} UTC, language {row['language']}"
    if not row["is_paused"]:
        return since
    until = row["paused_until"]
    return f"{since}, paused until {f'{until:%Y-%m-%d %H:%M} UTC' if until else 'its reader ends the pause'}"


@app.command()
@console.repeated
def withdraw(
    address: ReaderAddress,
    how: Annotated[str, typer.Option(help='How their word came, such as "e-mail of 3 May".')],
    newsletter: Annotated[str | None, typer.Option(help="The newsletter's slug; by default all of them.")] = None,
    as_json: console.Json = False,
) -> None:
    """End a person's subscriptions on their word. No letter that has not left yet goes to them."""
    settings = console.configured()
    keyring = load_if_present(settings)
    with console.database(settings) as database, database.writing() as session:
        about = newsletters.named(session, newsletter) if newsletter else None
        others = operator_decisions.other_spellings(session, keyring, address) if keyring else []
        try:
            slugs = operator_decisions.withdraw(
                session, address, newsletter=about, how=how, actor=audit_log.system_user(), now=clock.now()
            )
        except NotFound as error:
            raise NotFound(f"{error} The same inbox reads at: {', '.join(others)}" if others else str(error)) from None
    lines = [f"Ended: {', '.join(slugs)}." if slugs else "Nothing to end: no such subscription was left."]
    lines += [f"The same inbox also reads at {other}; that goes on." for other in others]
    console.show({"ended": slugs, "other_spellings": others}, as_json=as_json, text="\n".join(lines))


@app.command()
@console.repeated
def allow(
    address: ReaderAddress,
    reason: Annotated[str, typer.Option(help='Why, such as "asked for it by phone"; the audit log keeps it.')],
    as_json: console.Json = False,
) -> None:
    """Allow one confirmation letter to somebody who asked never to be written to.

    Let them sign up again then. Only the button of that letter lifts their request.
    """
    settings = console.configured()
    keyring = load_keyring(settings)
    with console.database(settings) as database:
        startup.check(database, keyring, now=clock.now())  # with another key, the person would not be recognized
        with database.writing() as session:
            allowed = operator_decisions.allow_letter(
                session, keyring, address, reason=reason, actor=audit_log.system_user(), now=clock.now()
            )
    text = "One confirmation letter is allowed. It leaves when the address is entered on the sign-up page again."
    console.show({"suppressions": allowed}, as_json=as_json, text=text)
