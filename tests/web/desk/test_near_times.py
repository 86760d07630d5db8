"""Times near now, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.web.desk import near_times
from newsletter.web.desk.today.headline import headline

NOW = datetime(2026, 10, 22, 5, 3, tzinfo=UTC)  # a Thursday, 07:03 in Berlin
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("after", "sentence", "cell"),
    [
        ({"hours": 10}, "today at 17:03", "Today 17:03"),
        ({"hours": 17}, "tomorrow at 00:03", "Tomorrow 00:03"),
        ({"hours": -8}, "yesterday at 23:03", "Yesterday 23:03"),
        ({"days": 4}, "Monday 26 October at 06:03", "Mon 26 Oct 06:03"),
        ({"days": 90}, "Wednesday 20 January 2027 at 06:03", "Wed 20 Jan 2027 06:03"),
    ],
)
def test_a_day_near_by_has_a_name(after, sentence, cell):
    moment = NOW + timedelta(**after)
    assert near_times.clock_time(moment, zone=BERLIN, now=NOW) == sentence
    assert near_times.in_a_table(moment, zone=BERLIN, now=NOW) == cell


def test_another_zone_is_told_only_where_its_clocks_differ():
    assert near_times.other_clock(NOW, zone="Europe/Paris", own=BERLIN) is None
    assert near_times.other_clock(NOW, zone="Europe/London", own=BERLIN) == "06:03 in London"
    assert near_times.other_clock(NOW, zone="America/New_York", own=BERLIN) == "01:03 in New York"
    assert near_times.other_clock(NOW, zone="America/Los_Angeles", own=BERLIN) == "Wednesday 22:03 in Los Angeles"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"seconds": 30}, "now"),
        ({"minutes": -5}, "now"),
        ({"minutes": 57}, "in 57 min"),
        ({"hours": 10}, "in 10 h"),
        ({"hours": 9, "minutes": 57}, "in 9 h 57 min"),
        ({"days": 3, "hours": 5}, "in 3 days"),
    ],
)
def test_how_far_away_a_time_is(after, words):
    assert near_times.ahead(NOW + timedelta(**after), now=NOW) == words


@pytest.mark.parametrize(
    ("counts", "news"),
    [
        ({"leaving": 1, "waiting": 1, "for_you": True}, "One issue is leaving, one waits for you"),
        ({"leaving": 2, "waiting": 12}, "Two issues are leaving, 12 wait for approval"),
        ({"paused": 1}, "One issue is paused"),
        ({"steps": 3}, "Nothing leaves yet: three steps to a first issue"),
        ({"next_one": "tomorrow at 07:00"}, "Nothing waits for you; the next issue is planned for tomorrow at 07:00"),
        ({}, "Nothing is leaving, and nothing is planned"),
    ],
)
def test_the_headline_tells_the_news(counts, news):
    none = {"paused": 0, "leaving": 0, "waiting": 0, "for_you": False, "steps": 0, "next_one": None}
    assert headline(**{**none, **counts}) == news
