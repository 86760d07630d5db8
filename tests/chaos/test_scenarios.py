"""The short form of every scenario: nothing is lost, and nothing doubled beyond what is allowed."""

import pytest

from tests.chaos import happenings, report
from tests.chaos.scenarios import SCENARIOS, TOO_LONG, Scenario, perform, run
from tests.servers.missing import missing
from tests.servers.server import ServerError

SHORT = [name for name in SCENARIOS if name not in TOO_LONG]


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize("name", SHORT)
def test_whatever_happens_the_books_agree_with_what_the_relay_saw(name, tmp_path):
    try:
        made = run(name, seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert made.is_well, report.table([made])


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize(("mood", "field"), [("forget", "lost"), ("double", "doubled")])
def test_a_relay_that_forgets_or_doubles_letters_is_found_out(mood, field, tmp_path):
    liar = Scenario("the relay lies", happenings.moody, (500, 500), {mood: 0.05})
    try:
        made = perform(liar, "liar", seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert not made.is_well
    assert getattr(made, field) > 0
