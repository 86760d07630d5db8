"""Bring a database up to date: its schema, its keys, and the forms that a new release renders differently."""

from datetime import datetime

from newsletter import key_registry, startup, templating
from newsletter.consent import forms
from newsletter.keys import keyring
from newsletter.migrations.upgrade import migrate
from newsletter.settings import Settings


def bring_up_to_date(settings: Settings, *, actor: str, now: datetime) -> None:
    """Migrate the schema, check the keys, and publish each wording again whose form has changed since.

    Safe to run twice, and while the service runs. Raises NewsletterError if database or keys cannot be used.
    """
    with startup.open_database(settings) as database:
        migrate(database)
        with database.writing() as session:
            key_registry.check(session, keyring(settings), now=now)
            forms.publish_current(session, templating.environment(), actor=actor, now=now)
