"""Which tables hold personal data, and which never may."""

import quopri
from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.consent.ledger.ledger import Event
from newsletter.links import Purpose
from newsletter.migrations.schema import metadata
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA, NAME, BROWSER = "ana.garcia@mail.example.org", "Ana García", "Journey/7.0"
NEVER = {"ledger", "leaves", "seals", "acts", "signup_letters", "suppressions", "known_keys", "tallies"}


def texts_of(value: Any) -> Iterator[str]:
    """Yield a value as text, also decoded in the ways that letters are encoded."""
    yield str(value)
    if isinstance(value, bytes):
        yield value.decode(errors="replace")
        yield quopri.decodestring(value).decode(errors="replace")


def tables_containing(service: WholeService, *texts: str) -> set[str]:
    """Return the tables in which any of these texts can be read."""
    return {
        table
        for table, rows in service.rows().items()
        for row in rows
        for value in row
        for readable in texts_of(value)
        if any(text.lower() in readable.lower() for text in texts)
    }


@pytest.fixture
def journey(service: WholeService) -> WholeService:
    """Ana signs up twice, confirms both, leaves one and then refuses all mail; Eve signs up and never confirms."""
    service.browser.headers["user-agent"] = BROWSER
    service.newsletter()
    service.newsletter("evening")
    service.sign_up(ANA, name=NAME, timezone="Europe/Madrid")
    service.sign_up("eve@example.org", name="Eve")
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=ANA)
    service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"})
    service.sign_up(ANA, "evening", name=NAME)
    service.run()
    second = service.letters(to=ANA)[-1]
    service.browser.post(service.link(second, "confirm"), data={"confirm": "yes"})
    service.browser.post(service.link(letter, "u"), data={"List-Unsubscribe": "One-Click"})
    service.browser.post(service.link(second, "never"), data={"never": "yes"})
    service.run()
    return service


def test_the_address_and_the_name_are_stored_only_where_they_can_be_erased(journey):
    rows = journey.rows()
    assert {Event.CONFIRMED, Event.WITHDRAWN, Event.REFUSED} <= {value for row in rows["ledger"] for value in row}
    assert all(rows[table] for table in ("tickets", "suppressions", "deliveries", "traces"))
    found = tables_containing(journey, ANA, "ana.garcia", NAME, BROWSER)
    assert found == {"signups", "subscribers", "evidence", "traces"}
    assert not found & NEVER
    assert all(metadata.tables[table].info.get("personal") for table in found)


def test_every_table_that_references_a_person_declares_what_erasure_does():
    references = {"subscribers.id", "signups.id"}
    for table in metadata.sorted_tables:
        personal = table.info.get("personal")
        referenced = {key.target_fullname for key in table.foreign_keys} & references
        if referenced - {"signups.id"}:
            assert personal, table.name
        if personal:
            assert personal.keys() == {"by", "on_erasure", "export"}
            assert personal["by"] in table.columns
            assert personal["on_erasure"] in ("delete", "unlink")


def test_no_page_behind_a_link_shows_the_full_address(journey):
    links = {link for letter in journey.letters(to=ANA) for link in journey.links(letter)}
    links.add(f"/preferences/{journey.site.links.token(Purpose.PREFERENCES, 1)}")
    assert len(links) > 5
    for link in links:
        assert ANA not in journey.browser.get(link).text
