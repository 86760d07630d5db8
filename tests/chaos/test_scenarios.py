"""The short form of every scenario: nothing is lost, and nothing doubled beyond what is allowed."""

import pytest

from tests.chaos import disturbances, report
from tests.chaos.scenarios import Scenario, named, perform, run
from tests.servers.missing_servers import missing
from tests.servers.server import ServerError


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize("name", named(short=True))
def test_whatever_happens_the_books_agree_with_what_the_relay_saw(name, tmp_path):
    try:
        made = run(name, seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert made.is_well, report.table([made])


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
def test_a_relay_that_forgets_or_doubles_letters_is_found_out(tmp_path):
    lies = {"forget": 0.05, "double": 0.05}
    liar = Scenario("the relay lies", disturbances.moody, (None, 500), lies, workers=(1, 1))
    try:
        made = perform(liar, "liar", seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert not made.is_well
    assert made.lost > 0
    assert made.doubled > 0
