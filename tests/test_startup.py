"""What every process makes sure of before it begins."""

import pytest
from sqlalchemy import text

from newsletter import startup
from newsletter.errors import Misconfigured
from tests.builders import KEYRING
from tests.clock import NOON


def at_revision(database, number):
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_a_database_that_fits_will_do(database):
    startup.check(database, KEYRING, now=NOON)


def test_one_that_another_release_has_migrated_will_do_until_that_one_takes_over(database):
    at_revision(database, "9999")
    startup.check(database, KEYRING, now=NOON)


def test_one_that_is_behind_is_refused_with_what_to_do(database):
    at_revision(database, "0001")
    with pytest.raises(Misconfigured, match="newsletter migrate"):
        startup.check(database, KEYRING, now=NOON)
