"""Each test that commits has its own database."""

import pytest
from sqlalchemy import text


@pytest.mark.parametrize("turn", ["first", "second"])
def test_no_test_sees_what_another_test_committed(turn, begin, reading):
    with begin() as session:
        session.execute(text("CREATE TABLE mine (turn TEXT)"))
        session.execute(text("INSERT INTO mine VALUES (:turn)"), {"turn": turn})
    with reading() as session:
        assert session.scalars(text("SELECT turn FROM mine")).all() == [turn]
