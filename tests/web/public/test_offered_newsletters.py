import pytest
from sqlalchemy import select

from newsletter import newsletters, templating
from newsletter.consent.wordings import wording_publication
from newsletter.consent.wordings.wordings import Wording
from newsletter.web.public.offered_newsletters import (
    MAX_AGE,
    MAX_OLDER,
    MIN_AGE,
    OfferedNames,
    OfferedNewslettersCache,
)
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


def publish(service, text: str) -> int:
    """Publish a wording of the newsletter and return its id."""
    with service.site.database.writing() as session:
        return wording_publication.publish(
            session,
            templating.environment,
            newsletters.named(session, "morning"),
            text=text,
            actor="tests",
            now=service.clock(),
        ).id


def test_only_current_wordings_are_read_and_an_older_one_when_a_form_names_it(service, cache, clock):
    with service.site.database.reading() as session:
        first = session.scalars(select(Wording.id)).one()
    second, third = publish(service, "Second."), publish(service, "Third.")
    clock.now += MAX_AGE
    assert set(cache.get().current_wordings) == {third}
    assert cache.get().wording(second) is None
    assert cache.fresh(OfferedNames(("morning",), second)) is None
    offered = cache.get(OfferedNames(("morning",), second))
    assert offered.wording(second).text == "Second."
    assert offered.current(offered.newsletter("morning"), "en").wording.text == "Third."
    assert cache.fresh(OfferedNames(("morning",), second)) is offered
    assert offered.wording(first) is None
    clock.now += MAX_AGE
    assert cache.get().wording(second).text == "Second."


def test_a_wording_published_elsewhere_is_found_after_the_least_age(service, cache, clock):
    newer = publish(service, "Newer.")
    assert cache.get(OfferedNames(("morning",), newer)).wording(newer) is None
    clock.now += MIN_AGE
    assert cache.get(OfferedNames(("morning",), newer)).wording(newer).text == "Newer."


def test_unknown_wordings_stay_unknown(service, cache, clock):
    publish(service, "Newer.")
    clock.now += MAX_AGE
    for number in (None, 0, -1, 10**18):
        assert cache.get(OfferedNames(("morning",), number)).wording(number) is None


@pytest.mark.slow
def test_older_wordings_fill_no_memory(service, cache, clock):
    older = [publish(service, f"Wording {number}.") for number in range(MAX_OLDER + 5)]
    newest = publish(service, "Newest.")
    clock.now += MAX_AGE
    for number in older:
        assert cache.get(OfferedNames(("morning",), number)).wording(number)
    offered = cache.get()
    assert set(offered.current_wordings) == {newest}
    assert len(offered.older_wordings) == MAX_OLDER
