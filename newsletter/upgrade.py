"""Bring a database up to date: its schema, its keys, and the forms that this release renders differently."""

from datetime import datetime

from newsletter import key_registry, startup, templating
from newsletter.consent.wordings import wording_publication
from newsletter.keys import load_keyring
from newsletter.migrations.alembic_upgrade import migrate
from newsletter.settings import Settings


def bring_up_to_date(settings: Settings, *, actor: str, now: datetime) -> None:
    """Migrate the schema, check the keys, and publish a new version of each wording whose form has changed.

    Safe to run twice, and while the service runs. Raises NewsletterError if database or keys cannot be used.
    """
    with startup.open_database(settings) as database:
        migrate(database)
        with database.writing() as session:
            key_registry.check(session, load_keyring(settings), now=now)
            wording_publication.publish_current(session, templating.environment, actor=actor, now=now)
