"""The checks of every process at startup."""

import pytest
from sqlalchemy import text

from newsletter import startup
from newsletter.errors import Misconfigured
from tests.builders import KEYRING
from tests.clock import NOON


def at_revision(database, number):
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_a_current_database_is_accepted(database):
    startup.check(database, KEYRING, now=NOON)


def test_a_database_that_a_later_release_has_migrated_is_accepted(database):
    at_revision(database, "9999")
    startup.check(database, KEYRING, now=NOON)


def test_a_database_that_is_behind_is_refused_with_the_command_to_run(database):
    at_revision(database, "0001")
    with pytest.raises(Misconfigured, match="newsletter migrate"):
        startup.check(database, KEYRING, now=NOON)
