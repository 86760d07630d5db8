"""`newsletter bench signup` with few visitors: each has an answer and a letter, and every figure is present."""

import json
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from newsletter import addresses
from newsletter.bench.recording_sink import RecordedLetter
from newsletter.bench.signups.load import AnsweredVisitor, LoadResult
from newsletter.bench.signups.measures import SignupMeasurement, by_program
from newsletter.bench.signups.visitors import DOMAINS, NETWORKS, SignupVisitors
from newsletter.consent.limits import networks
from tests.builders import KEYRING

VISITORS = SignupVisitors(3, "http://127.0.0.1:1/n/bench", {"wording": "1", "form": "f"})


@pytest.mark.slow
def test_every_form_has_its_answer_and_its_letter(server_folders):
    words = ["--rounds", "1", "--seconds", "2", "--rate", "20", "--at-once", "60", "--letters", "200", "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "newsletter.cli", "bench", "signup", "--folder", str(server_folders), *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert [figures[name] for name in ("refused", "unanswered", "lost", "doubled")] == [0, 0, 0, 0]
    (one,) = figures["rounds"]
    for route in ("site", "bare"):
        assert one["rates"]["20"][route]["signups"] == one["rates"]["20"][route]["letters"] == 40
        costs = one["rates"]["20"][route]["cpu_ms_per_signup"]
        assert {"site", "worker", "postgresql", "redis", "load", "sink", "service"} <= costs.keys()
    assert one["rates"]["20"]["ratio_to_bare"]["cpu_of_site"] > 0
    assert one["at_most"]["site"]["signups"] > 0
    assert one["at_once"]["letters"] == 60
    assert figures["beside_an_issue"]["letters"] == figures["beside_an_issue"]["signups"]
    assert not list(server_folders.glob("newsletter-*")), "a folder was left behind"


def test_visitors_come_from_thousands_of_public_networks_and_domains():
    clients = [VISITORS.client(number) for number in range(2 * NETWORKS)]
    assert len(set(clients)) == len(clients)
    assert all(ip_address(client).is_global for client in clients[::100])
    assert len({networks.keys(KEYRING, client).network for client in clients}) == NETWORKS
    entered = [VISITORS.address(number) for number in range(2 * DOMAINS)]
    assert len(set(entered)) == len(entered)
    assert len({address.rpartition("@")[2] for address in entered}) == DOMAINS
    assert addresses.parse(entered[-1]).key == entered[-1]


def test_measurements_share_no_network_and_no_domain():
    others = SignupVisitors(4, VISITORS.page, VISITORS.form)
    theirs = {networks.keys(KEYRING, others.client(number)).network for number in range(NETWORKS)}
    assert theirs.isdisjoint(networks.keys(KEYRING, VISITORS.client(number)).network for number in range(NETWORKS))
    assert others.address(0).rpartition("@")[2] != VISITORS.address(0).rpartition("@")[2]


def letter(number: int, taken_at: float) -> RecordedLetter:
    return RecordedLetter(taken_at, taken_at, "letters@bench.example", (VISITORS.address(number),), "<id>", 2000)


def measured(answers: list[AnsweredVisitor], letters: list[RecordedLetter], sent: int | None = None) -> dict:
    load = LoadResult(len(answers) if sent is None else sent, 1.0, 0.01)
    cpu = {"site": 0.004, "worker": 0.002, "sink": 1.0}
    return SignupMeasurement(VISITORS, answers, letters, load, cpu).figures


def test_times_run_from_the_moment_at_which_the_visitor_was_due():
    answers = [AnsweredVisitor(0, 10.0, 10.1, 202), AnsweredVisitor(1, 11.0, 12.0, 202)]
    figures = measured(answers, [letter(0, 11.0), letter(1, 14.0)])
    assert figures["answers"] == {"p50_ms": 550.0, "p99_ms": 991.0, "longest_ms": 1000.0}
    assert figures["to_the_relay"]["longest_ms"] == 3000.0
    assert figures["in_time"] == 0.5
    assert (figures["answers_per_second"], figures["letters_per_second"]) == (1.0, 0.5)


def test_lost_doubled_refused_and_unanswered_visitors_are_counted():
    answers = [AnsweredVisitor(number, 1.0, 2.0, status) for number, status in enumerate((202, 202, 202, 503))]
    figures = measured(answers, [letter(0, 2.0), letter(0, 3.0), letter(1, 2.0), letter(9, 2.0)], sent=6)
    assert (figures["signups"], figures["refused"], figures["unanswered"]) == (3, 1, 2)
    assert (figures["letters"], figures["lost"], figures["doubled"]) == (2, 1, 1)
    assert figures["to_the_relay"]["longest_ms"] == 1000.0  # the first of two letters counts


def test_the_sink_and_the_load_generator_are_no_part_of_the_services_cost():
    costs = measured([AnsweredVisitor(0, 1.0, 2.0, 202)], [])["cpu_ms_per_signup"]
    assert costs == {"load": 10.0, "service": 6.0, "sink": 1000.0, "site": 4.0, "worker": 2.0}


def test_processor_time_is_added_up_by_program():
    cpu = {
        "worker 1": 1.0,
        "worker 2": 2.0,
        "postgresql: newsletter celery": 3.0,
        "postgresql: ended": 4.0,
        "redis": 5.0,
    }
    assert by_program(cpu) == {"worker": 3.0, "postgresql": 7.0, "redis": 5.0}
