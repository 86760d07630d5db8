"""Sign-ups under pressure: the limits, the slow lane, and turns between networks at the pace of the relays."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle

import pytest
from sqlalchemy import select

from newsletter.consent.signups.signups import Signup
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from tests.transports import FakeMonotonic, FakeTransport
from tests.whole_service import WholeService, whole_service
from workers import jobs
from workers.signup_turns import SignupTurns

DEFAULTS = {field: Settings.model_fields[field].default for field in Settings.model_fields if "confirmations" in field}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(request, tmp_path) -> Iterator[WholeService]:
    """A service behind a proxy, with the default limits."""
    url = request.getfixturevalue(f"{request.param}_url")
    with whole_service(url, tmp_path, trusted_proxies="127.0.0.1", **DEFAULTS) as service:
        service.newsletter()
        yield service


@pytest.fixture
def unlimited(request, tmp_path, postgresql_url) -> Iterator[WholeService]:
    """A service behind a proxy, with limits that nobody reaches."""
    with whole_service(postgresql_url, tmp_path, trusted_proxies="127.0.0.1") as service:
        service.newsletter()
        yield service


def sign_up(service: WholeService, email: str, *, ip: str) -> None:
    sign_up_all(service, [(email, ip)])


def sign_up_all(service: WholeService, visitors: Iterable[tuple[str, str]]) -> None:
    """Sign up addresses from IP addresses, by one form."""
    form = service.form()
    for email, ip in visitors:
        answer = service.browser.post("/subscribe", data={**form, "email": email}, headers={"X-Forwarded-For": ip})
        assert answer.status_code == 202


def letters(service: WholeService) -> Counter[str]:
    """Return the letters that have arrived, by the domain of their recipient."""
    return Counter(str(letter["To"]).partition("@")[2].strip(">") for letter in service.letters())


def in_the_lane(service: WholeService) -> int:
    with service.site.database.reading() as session:
        return len(session.scalars(select(Signup.id).where(Signup.slow_lane_at.is_not(None))).all())


@pytest.mark.parametrize(
    ("addresses", "ips", "letters_in_an_hour"),
    [
        ([f"a@d{n}.example" for n in range(15)], ["198.51.100.1"], 10),
        ([f"a@d{n}.example" for n in range(15)], ["2001:db8::1", "2001:db8::2"], 10),
        ([f"a@d{n}.example" for n in range(70)], [f"198.51.100.{n}" for n in range(70)], 60),
        pytest.param(
            [f"a@d{n}.example" for n in range(70)],
            [f"2001:db8:0:{n}::1" for n in range(70)],
            60,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            [f"a{n}@one.example" for n in range(110)],
            [f"198.51.{n}.1" for n in range(110)],
            100,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            [f"a{n}@gmail.com" for n in range(110)], [f"198.51.{n}.1" for n in range(110)], 110, marks=pytest.mark.slow
        ),
        ([f"a@d{n}.example" for n in range(70)], ["10.0.0.1"], 70),
        pytest.param([f"a@d{n}.example" for n in range(70)], ["fd00::1"], 70, marks=pytest.mark.slow),
    ],
)
def test_over_a_limit_a_letter_waits_for_the_next_hour(service, addresses, ips, letters_in_an_hour):
    sign_up_all(service, zip(addresses, cycle(ips), strict=False))
    service.run(Queue.URGENT)
    assert len(service.letters()) == letters_in_an_hour
    assert in_the_lane(service) == len(addresses) - letters_in_an_hour
    for minutes in (20, 20, 19):
        service.clock.advance(minutes=minutes)
        service.run(Queue.URGENT)
    assert len(service.letters()) == letters_in_an_hour
    service.clock.advance(minutes=12)
    service.run(Queue.URGENT)
    assert len(service.letters()) == len(addresses)
    assert in_the_lane(service) == 0


def test_the_link_of_a_letter_from_the_slow_lane_works_for_72_hours_from_its_sending(service):
    sign_up_all(service, ((f"a@d{number}.example", "198.51.100.1") for number in range(30)))
    for _ in range(3):
        service.run(Queue.URGENT, Queue.UPKEEP)
        service.clock.advance(minutes=71)
    late = service.letters(to="a@d29.example")
    assert len(late) == 1
    service.clock.advance(hours=70)
    service.run(Queue.UPKEEP)
    assert service.browser.post(service.link(late[0], "confirm"), data={"confirm": "yes"}).status_code == 200


@pytest.mark.slow
def test_a_sign_up_without_a_turn_in_24_hours_lapses_and_the_log_says_so(service, caplog):
    caplog.set_level(logging.INFO)
    sign_up_all(service, ((f"a@d{number}.example", "198.51.100.1") for number in range(300)))
    for _ in range(25):
        service.run(Queue.URGENT)
        service.clock.advance(hours=1)
    sent = len(service.letters())
    service.run(Queue.URGENT, Queue.UPKEEP)
    assert in_the_lane(service) == 0
    assert len(service.letters()) == sent < 300
    said = [record.message for record in caplog.records]
    assert [line for line in said if "lapsed" in line]
    assert len([line for line in said if line.startswith("the slow lane opens")]) == 1
    assert len([line for line in said if line.startswith("the slow lane closes")]) == 1
    assert not [line for line in said if "example" in line or "198.51" in line]


def test_the_answer_is_the_same_whether_a_letter_is_owed_or_waits(service):
    answers = []
    for number in range(12):
        email = f"a@d{number}.example"
        answer = service.browser.post(
            "/subscribe", data={**service.form(), "email": email}, headers={"X-Forwarded-For": "198.51.100.1"}
        )
        service.run(Queue.URGENT)
        # What was entered is shown back, beside the sign-up's own name.
        text = re.sub(r'(?<=name="replaces" value=")[^"]*', "", answer.text).replace(email, "")
        answers.append((answer.status_code, text, sorted(answer.headers)))
    assert in_the_lane(service) == 2
    assert answers[0] == answers[-1]


def test_an_emptied_redis_or_another_worker_process_opens_no_limit(service):
    for number in range(30):
        sign_up(service, f"a@d{number}.example", ip="198.51.100.1")
        if number % 5 == 0:
            service.run(Queue.URGENT)
            object.__setattr__(service.context, "turns", SignupTurns())
    service.run(Queue.URGENT)
    assert len(service.letters()) == 10


@pytest.mark.slow
def test_a_visitor_from_elsewhere_waits_seconds_in_the_midst_of_a_flood_however_high_the_limits_are(unlimited):
    monotonic = FakeMonotonic()
    relay = FakeTransport(monotonic=monotonic, seconds=1 / 14, connections=2)
    dispatcher = replace(unlimited.context.dispatcher, transport=relay, monotonic=monotonic)
    slow = replace(unlimited.context, dispatcher=dispatcher)
    sign_up_all(unlimited, ((f"a{number}@flood.example", f"198.51.100.{number % 250}") for number in range(400)))
    for _ in range(3):
        assert jobs.run(Queue.URGENT, slow)
    sign_up(unlimited, "ana@example.org", ip="203.0.113.1")
    began = monotonic()
    while "ana@example.org" not in relay.taken:
        assert jobs.run(Queue.URGENT, slow)
    assert monotonic() - began < 5
    assert len(relay.taken) < 300
