"""Time zones: which names are zones, and which zone was meant."""

import pytest

from newsletter import zones
from newsletter.errors import Malformed


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Asia/Kolkata"]
)
def test_a_zone_is_accepted(zone):
    zones.check(zone)


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/UTC", "right/UTC", "", "/"])
def test_a_name_that_means_another_zone_on_each_machine_or_none_is_refused(zone):
    with pytest.raises(Malformed, match=r"is not a time zone such as Europe/Berlin\.$") as caught:
        zones.check(zone, field="place")
    assert caught.value.field == "place"


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("EUROPE/BERLIN", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("Buenos Aires", "America/Argentina/Buenos_Aires, America/Buenos_Aires"),
        ("utc", "UTC"),
    ],
)
def test_the_zone_that_was_meant_is_suggested(zone, meant):
    with pytest.raises(Malformed) as caught:
        zones.check(zone)
    assert str(caught.value).endswith(f"Did you mean {meant}?")


def test_an_offset_is_no_zone_and_the_one_of_the_opposite_sign_is_not_suggested():
    with pytest.raises(Malformed) as caught:
        zones.check("GMT+1")
    assert "Did you mean" not in str(caught.value)
