"""newsletter migrate: upgrade the database to this release's schema."""

from newsletter import audit_log, clock, upgrade
from newsletter.cli import console


def migrate() -> None:
    """Bring the database up to date; safe to run twice, and while the service runs."""
    upgrade.bring_up_to_date(console.configured(), actor=audit_log.system_user(), now=clock.now())
    console.out.print("The database is up to date.")
