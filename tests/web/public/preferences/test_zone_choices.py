"""The time zones among which readers choose."""

from zoneinfo import ZoneInfo

import pytest

from newsletter import zones
from newsletter.languages import catalogues
from newsletter.web.public.preferences import zone_choices


@pytest.mark.parametrize("tag", ["en", "de", "ar", "ja"])
def test_each_zone_is_listed_once_under_its_present_name_and_a_city(tag):
    listed = [choice for group in zone_choices.groups(tag) for choice in group.choices]
    names = [choice.zone for choice in listed]
    assert len(set(names)) == len(names) > 400
    assert {"Asia/Kolkata", "Europe/Kyiv", "Pacific/Auckland", "Atlantic/Reykjavik", "Asia/Urumqi"} <= set(names)
    assert not {"Asia/Calcutta", "Europe/Kiev", "US/Eastern"} & set(names)
    assert all(choice.city and ZoneInfo(choice.zone) for choice in listed)


def test_every_zone_that_an_operator_may_choose_is_listed_under_some_name():
    listed = {choice.zone for group in zone_choices.groups("en") for choice in group.choices}
    assert [name for name in zones.names() if zone_choices.listed(name) not in listed] == ["UTC"]
    assert zone_choices.listed("US/Eastern") == "America/New_York"


def test_cities_are_in_the_readers_language_and_in_its_order():
    europe = next(group for group in zone_choices.groups("de") if group.region == "Europa")
    assert {"Wien", "Kiew", "Kopenhagen"} <= {choice.city for choice in europe.choices}
    assert europe.choices[-1].city == "Zürich"
    assert [len(zone_choices.groups(tag)) for tag in catalogues.LANGUAGES] == [9] * len(catalogues.LANGUAGES)
