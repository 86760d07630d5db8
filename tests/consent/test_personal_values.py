"""Where a person stands in the database, and where nothing of them may ever stand."""

import quopri
from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.consent.ledger import Event
from newsletter.links import Purpose
from newsletter.migrations.schema import metadata
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA, NAME, BROWSER = "ana.garcia@mail.example.org", "Ana García", "Journey/7.0"
NEVER = {"ledger", "leaves", "seals", "acts", "signup_letters", "suppressions", "known_keys", "tallies"}


def spellings(value: Any) -> Iterator[str]:
    """What a value says, as it stands and decoded as letters are encoded."""
    yield str(value)
    if isinstance(value, bytes):
        yield value.decode(errors="replace")
        yield quopri.decodestring(value).decode(errors="replace")


def tables_that_tell(stage: WholeService, *said: str) -> set[str]:
    """The tables in which any of this can be read."""
    return {
        table
        for table, rows in stage.rows().items()
        for row in rows
        for value in row
        for text in spellings(value)
        if any(word.lower() in text.lower() for word in said)
    }


@pytest.fixture
def journey(stage: WholeService) -> WholeService:
    """Ana signs up twice, confirms, changes her mind about one, and says never; Eve asks and never answers."""
    stage.browser.headers["user-agent"] = BROWSER
    stage.newsletter()
    stage.newsletter("evening")
    stage.sign_up(ANA, name=NAME, timezone="Europe/Madrid")
    stage.sign_up("eve@example.org", name="Eve")
    stage.run(Queue.URGENT)
    (letter,) = stage.letters(to=ANA)
    stage.browser.post(stage.link(letter, "confirm"), data={"confirm": "yes"})
    stage.sign_up(ANA, "evening", name=NAME)
    stage.run()
    second = stage.letters(to=ANA)[-1]
    stage.browser.post(stage.link(second, "confirm"), data={"confirm": "yes"})
    stage.browser.post(stage.link(letter, "u"), data={"List-Unsubscribe": "One-Click"})
    stage.browser.post(stage.link(second, "never"), data={"never": "yes"})
    stage.run()
    return stage


def test_a_journey_leaves_the_address_and_the_name_only_where_they_can_be_erased(journey):
    rows = journey.rows()
    assert {Event.CONFIRMED, Event.WITHDRAWN, Event.REFUSED} <= {value for row in rows["ledger"] for value in row}
    assert all(rows[table] for table in ("signup_letters", "suppressions", "deliveries", "traces"))
    found = tables_that_tell(journey, ANA, "ana.garcia", NAME, BROWSER)
    assert found == {"signups", "subscribers", "evidence", "traces"}
    assert not found & NEVER
    assert all(metadata.tables[table].info.get("personal") for table in found)


def test_a_table_that_leads_to_a_person_says_so_and_says_what_becomes_of_its_rows():
    leading = {"subscribers.id", "signups.id"}
    for table in metadata.sorted_tables:
        personal = table.info.get("personal")
        leads = {key.target_fullname for key in table.foreign_keys} & leading
        if leads - {"signups.id"}:
            assert personal, table.name
        if personal:
            assert personal.keys() == {"by", "on_erasure", "export"}
            assert personal["by"] in table.columns
            assert personal["on_erasure"] in ("delete", "unlink")


def test_no_page_that_a_link_opens_shows_the_whole_address(journey):
    links = {link for letter in journey.letters(to=ANA) for link in journey.links(letter)}
    links.add(f"/preferences/{journey.site.links.token(Purpose.PREFERENCES, 1)}")
    assert len(links) > 5
    for link in links:
        assert ANA not in journey.browser.get(link).text
