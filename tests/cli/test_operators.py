"""`newsletter operators` prints a link to the desk only if the desk can be opened."""

import pytest
from sqlalchemy import func, select

from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator

INVITED, NEW = "ana@press.example", "ben@press.example"


def counts(database) -> tuple[int, int]:
    with database.reading() as session:
        operators, links = (session.scalar(select(func.count()).select_from(each)) for each in (Operator, OperatorLink))
        return operators, links


@pytest.mark.parametrize(
    ("base_url", "missing"),
    [
        ("https://example.org/letters", "NEWSLETTER_DESK_URL=https://"),
        ("http://letters.example.org", "NEWSLETTER_BASE_URL=https://"),
    ],
)
def test_a_desk_that_cannot_be_opened_gets_no_link_and_nothing_is_stored(
    newsletter, failed, database, monkeypatch, base_url, missing
):
    assert newsletter("operators", "add", INVITED, "--role", "admin").exit_code == 0
    before = counts(database)
    monkeypatch.setenv("NEWSLETTER_BASE_URL", base_url)
    for words in (("add", NEW, "--role", "editor"), ("invite", INVITED)):
        code, message = failed("operators", *words)
        assert (code, missing in message) == (2, True)
    assert counts(database) == before
    monkeypatch.setenv("NEWSLETTER_DESK_URL", "https://desk.example.org")
    invited = newsletter("operators", "invite", INVITED)
    assert "https://desk.example.org/desk/link/" in invited.stdout
