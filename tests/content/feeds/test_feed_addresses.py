"""Feed addresses as people write them."""

import pytest

from newsletter.content.feeds.feed_addresses import candidates, same_feed_key
from newsletter.errors import Malformed

PAGE = "press.example/feed.xml"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"https://{PAGE}", [f"https://{PAGE}"]),
        (f" http://{PAGE}\n", [f"http://{PAGE}"]),
        (PAGE, [f"https://{PAGE}", f"http://{PAGE}"]),
        (f"//{PAGE}", [f"https://{PAGE}", f"http://{PAGE}"]),
        ("press.example:8080", ["https://press.example:8080", "http://press.example:8080"]),
        ("localhost:8080/feed", ["https://localhost:8080/feed", "http://localhost:8080/feed"]),
        ("[::1]/feed", ["https://[::1]/feed", "http://[::1]/feed"]),
        (f"feed://{PAGE}", [f"https://{PAGE}", f"http://{PAGE}"]),
        (f"FEED:{PAGE}", [f"https://{PAGE}", f"http://{PAGE}"]),
        (f"feed:http://{PAGE}", [f"http://{PAGE}"]),
        (f"itpc://{PAGE}", [f"https://{PAGE}", f"http://{PAGE}"]),
    ],
)
def test_an_address_is_understood_as_people_write_it(written, meant):
    assert list(candidates(written)) == meant


@pytest.mark.parametrize(
    "written", ["", "nowhere", "ftp://press.example/", "mailto:a@press.example", "https://", "a b"]
)
def test_what_is_no_web_address_is_refused(written):
    with pytest.raises(Malformed):
        candidates(written)


@pytest.mark.parametrize("written", ["https://ana:hunter2@press.example/", "ana:hunter2@press.example/feed"])
def test_a_password_is_refused_and_not_repeated(written):
    with pytest.raises(Malformed) as refusal:
        candidates(written)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "spelling",
    [
        "http://press.example/News/?a=1",
        "https://PRESS.example./News?a=1",
        "https://press.example:443/News?a=1",
        "http://press.example:80/%4eews?a=%31#top",
    ],
)
def test_spellings_of_one_address_share_a_key(spelling):
    assert same_feed_key(spelling) == same_feed_key("https://press.example/News?a=1")


def test_an_international_host_is_the_same_in_both_of_its_encodings():
    assert same_feed_key("https://straße.example/") == same_feed_key("http://STRASSE.example")
    assert same_feed_key("https://müll.example/feed") == same_feed_key("https://xn--mll-hoa.example/feed")


@pytest.mark.parametrize(
    "other",
    [
        "https://www.press.example/News?a=1",
        "https://press.example:8080/News?a=1",
        "https://press.example/news?a=1",
        "https://press.example/News?a=2",
        "https://press.example/News%2F?a=1",
    ],
)
def test_other_addresses_have_other_keys(other):
    assert same_feed_key(other) != same_feed_key("https://press.example/News?a=1")
