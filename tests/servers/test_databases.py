"""A test that commits does so in a database of its own."""

import pytest
from sqlalchemy import text


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_one_test_commits_no_other_test_meets(turn, begin, reading):
    with begin() as session:
        session.execute(text("CREATE TABLE mine (turn TEXT)"))
        session.execute(text("INSERT INTO mine VALUES (:turn)"), {"turn": turn})
    with reading() as session:
        assert session.scalars(text("SELECT turn FROM mine")).all() == [turn]
