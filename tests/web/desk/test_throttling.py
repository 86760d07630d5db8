"""Wrong passwords: how many are tried, and that nobody is locked out by somebody else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select

from newsletter.errors import Refused
from newsletter.operators import sign_in_attempts
from newsletter.operators.sign_in_attempts import AttemptLimit, TooManyAttempts
from newsletter.operators.sign_in_failures import SignInFailures
from newsletter.web.desk.access import attempts
from tests.clock import NOON

ANN = "ann@press.example"
HOUR = timedelta(hours=1)


def tried(visitor, address, times=1):
    """Send the sign-in form that often with a wrong password; return the statuses."""
    page = LexborHTMLParser(visitor.browser.get("/desk/sign-in").text)
    fields = {"address": address, "password": "a wrong password"}
    return [visitor.send("/desk/sign-in", page, fields).status_code for _ in range(times)]


def test_after_too_many_wrong_passwords_even_the_right_one_waits_and_the_page_says_how_long(service, operator, visit):
    operator(ANN)
    visitor = visit()
    assert tried(visitor, ANN, times=12) == [422] * 10 + [429] * 2
    answer = visitor.sign_in(ANN)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3600")
    assert "in 60 minutes" in LexborHTMLParser(answer.text).css_first("#password-error").text()
    service.clock.advance(hours=1)
    assert visitor.sign_in(ANN).status_code == 303


def test_a_device_that_has_signed_in_before_gets_in_while_others_try_passwords(operator, visit):
    operator(ANN)
    own = visit(ip="203.0.113.9")
    assert own.sign_in(ANN).status_code == 303
    for number in range(10):
        assert tried(visit(ip=f"198.51.{number}.7"), ANN, times=10) == [422] * 10
    assert visit(ip="192.0.2.7").sign_in(ANN).status_code == 429
    own.browser.cookies.delete("desk")
    assert tried(own, ANN, times=3) == [422] * 3
    assert own.sign_in(ANN).status_code == 303


def test_the_known_device_of_one_account_is_no_known_device_of_another(operator, visit):
    operator(ANN)
    operator("bob@press.example")
    visitor = visit()
    assert visitor.sign_in(ANN).status_code == 303
    visitor.browser.cookies.delete("desk")
    assert tried(visitor, "bob@press.example", times=11)[-1] == 429


def test_one_network_tries_a_few_accounts_and_then_waits_whatever_the_account(operator, visit):
    statuses = [status for number in range(5) for status in tried(visit(), f"someone{number}@press.example", times=7)]
    assert statuses == [422] * attempts.PER_HOST + [429] * 5
    operator(ANN)
    assert visit().sign_in(ANN).status_code == 429
    assert visit(ip="203.0.113.9").sign_in(ANN).status_code == 303


def test_what_is_counted_names_neither_address_nor_network(service, visit):
    tried(visit(), ANN)
    with service.site.database.reading() as session:
        keys = " ".join(session.scalars(select(SignInFailures.key)))
    assert "press" not in keys
    assert "198.51" not in keys


def test_two_hundred_attempts_of_one_account_at_once_count_as_their_limit(begin):
    limits = [AttemptLimit("account:x", 10, HOUR, is_own=True), AttemptLimit("network:y", 30, HOUR)]

    def attempt(_):
        try:
            with begin() as session:
                sign_in_attempts.count(session, limits, now=NOON)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(attempt, range(200))) == 10
    with begin() as session:
        assert dict(session.execute(select(SignInFailures.key, SignInFailures.n)).all()) == {
            "account:x": 10,
            "network:y": 10,
        }
        with pytest.raises(TooManyAttempts) as refused:
            sign_in_attempts.check(session, limits, now=NOON + timedelta(minutes=20))
        assert refused.value.seconds == 2400
        sign_in_attempts.forgive(session, limits, now=NOON)
        sign_in_attempts.check(session, limits, now=NOON)
        assert session.scalar(select(func.sum(SignInFailures.n))) == 9
