"""newsletter migrate: the schema of today, and what else a new release has to bring."""

from newsletter import key_registry, templating
from newsletter.cli import console
from newsletter.consent import forms
from newsletter.keys import keyring
from newsletter.migrations.upgrade import migrate as migrate_schema
from newsletter.settings import Settings


def migrate() -> None:
    """Bring the database up to date; safe to run twice, and while the service runs."""
    bring_up_to_date(console.configured())
    console.out.print("The database is up to date.")


def bring_up_to_date(settings: Settings) -> None:
    """Migrate, make sure of the keys, and publish again what wordings have to show since."""
    with console.reached(settings) as database:
        migrate_schema(database)
        with database.writing() as session:
            key_registry.check(session, keyring(settings), now=console.now())
            forms.publish_current(session, templating.environment(), actor=console.actor(), now=console.now())
