"""The short form of every scenario: no letter is lost, and none doubled beyond the tolerance."""

import pytest

from tests.chaos import disturbances, report
from tests.chaos.scenarios import Scenario, named, run, run_scenario
from tests.servers.missing_servers import missing
from tests.servers.server import ServerError


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
@pytest.mark.parametrize("name", named(short=True))
def test_the_database_agrees_with_the_relays_log_after_every_disturbance(name, tmp_path):
    try:
        result = run(name, seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert result.is_well, report.table([result])


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
def test_a_relay_that_forgets_or_doubles_letters_is_detected(tmp_path):
    misbehavior = {"forget": 0.05, "double": 0.05}
    scenario = Scenario("the relay lies", disturbances.no_disturbance, (None, 500), misbehavior, workers=(1, 1))
    try:
        result = run_scenario(scenario, "lies", seed=1, short=True, folder=tmp_path)
    except ServerError as error:
        missing("PostgreSQL", str(error))
    assert not result.is_well
    assert result.lost > 0
    assert result.doubled > 0
