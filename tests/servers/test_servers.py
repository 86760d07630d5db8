"""Each test has its own real Redis and smtp-sink."""

import smtplib

import pytest
from redis import Redis


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_finds_an_empty_redis(turn, redis_url):
    with Redis.from_url(redis_url) as redis:
        assert redis.set("turn", turn, nx=True)


def test_the_sink_writes_a_letter_as_transmitted(smtp_sink):
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as relay:
        for to in (["reader@mail.example"], ["a@mail.example", "b@mail.example"]):
            relay.sendmail(f"bounces+{len(to)}@news.example", to, "Subject: Today\r\n\r\nDear reader,\r\n.\r\n")
    single, double = sorted(smtp_sink.letters(), key=lambda letter: len(letter.recipients))
    assert (single.sender, single.recipients) == ("bounces+1@news.example", ["reader@mail.example"])
    assert (double.sender, double.recipients) == ("bounces+2@news.example", ["a@mail.example", "b@mail.example"])
    assert double.source == b"Subject: Today\n\nDear reader,\n.\n"
    assert double.message["Subject"] == "Today"
