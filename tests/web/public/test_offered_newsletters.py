import pytest

from newsletter.web.public.offered_newsletters import MAX_AGE, MIN_AGE, OfferedNames, OfferedNewslettersCache
from tests.transports import FakeMonotonic


@pytest.fixture
def clock() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def cache(service, clock) -> OfferedNewslettersCache:
    """A cache that has read one newsletter."""
    service.newsletter("morning")
    cache = OfferedNewslettersCache(service.site.database, monotonic=clock)
    assert offered(cache) == {"morning"}
    return cache


def offered(cache: OfferedNewslettersCache, *wanted: str) -> set[str]:
    return set(cache.get(OfferedNames(wanted)).newsletters)


def test_a_new_newsletter_is_listed_once_the_cache_is_too_old(service, cache, clock):
    service.newsletter("evening")
    clock.now += MAX_AGE - 0.1
    assert offered(cache) == {"morning"}
    clock.now += 0.2
    assert offered(cache) == {"morning", "evening"}


def test_a_new_newsletter_is_found_by_its_name_after_the_least_age(service, cache, clock):
    service.newsletter("evening")
    assert offered(cache, "evening") == {"morning"}
    clock.now += MIN_AGE
    assert offered(cache, "evening") == {"morning", "evening"}


def test_unknown_names_cause_no_second_read_before_the_least_age(service, cache, clock):
    clock.now += MIN_AGE
    assert offered(cache, "unknown") == {"morning"}
    service.newsletter("evening")
    clock.now += MIN_AGE - 0.1
    assert offered(cache, "unknown", "evening") == {"morning"}
    clock.now += 0.2
    assert offered(cache, "unknown", "evening") == {"morning", "evening"}
