"""The page of the audit log: sentences with names and links, filters, and what each operator may see."""

from datetime import timedelta

import pytest

from newsletter import newsletters, registered_sites
from newsletter.content.feeds import feeds
from newsletter.content.issues import transitions
from newsletter.operators import operators
from newsletter.operators.roles import Role
from tests.builders import an_issue
from tests.content.builders import a_feed


def sentences(desk, query=""):
    """Return the entries as a reader sees them, without their times."""
    page = desk.page(f"/audit-log{query}")
    return [" ".join(each.text().split()) for each in page.css(".ledger p")]


@pytest.fixture
def busy(service):
    """Two newsletters in which an issue was paused and a feed refreshed, and an operator who was removed."""
    for slug in ("morning", "evening"):
        service.newsletter(slug)
    by = {"now": service.clock()}
    with service.site.database.writing() as session:
        morning, evening = (newsletters.named(session, slug) for slug in ("morning", "evening"))
        eve = operators.add(session, "eve@press.example", role=Role.PUBLISHER, actor="cli:root", **by)
        operators.add(session, "ana@press.example", role=Role.ADMIN, actor="cli:root", **by)
        eve.name = "Eve"
        transitions.pause(
            session, an_issue(session, morning, titles=("A bridge opens",)), actor=f"operator:{eve.id}", **by
        )
        gone = operators.add(session, "bob@press.example", role=Role.EDITOR, actor=f"operator:{eve.id}", **by)
        feed = a_feed(session, evening)
        feeds.make_due(session, feed_ids=[feed.id], actor=f"operator:{gone.id}", **by)
        operators.remove(session, gone, actor="scheduler", **by)
    return service


def test_entries_are_sentences_with_names_and_links(busy, sign_in):
    desk = sign_in()
    told = sentences(desk)
    gone = "operator 3"
    assert told[1:6] == [
        f"The schedule removed {gone}",
        "Operator 3 (removed) had feeds read again",
        "Tests added feed “Town”",
        f"Eve added {gone}",
        "Eve paused issue “A bridge opens”",
    ]
    page = desk.page("/audit-log")
    paths = {str(each.attributes["href"]) for each in page.css(".ledger a")}
    assert "/desk/operators/1" in paths
    assert "/desk/operators/3" not in paths
    for path in paths:
        assert desk.browser.get(path).status_code == 200


def test_an_entry_tells_names_in_place_of_slugs_tags_and_numbers(busy, sign_in):
    with busy.site.database.writing() as session:
        a_feed(session, newsletters.named(session, "evening"), "dusk").title = ""
        registered_sites.register(
            session, newsletters.named(session, "evening"), "https://press.example", actor="scheduler", now=busy.clock()
        )
    desk = sign_in()
    page = desk.page("/audit-log")
    told = " ".join(page.css_first(".ledger").text().split())
    assert "The schedule registered a site for The Evening Letter" in told
    assert "origin: https://press.example" in told
    assert "version 1 of the words of consent in English" in told
    assert "added feed “press.example/dusk.xml”" in told
    assert ("newsletter: The Evening Letter" in told, "newsletter: evening" in told) == (True, False)
    own = " ".join(desk.page("/newsletters/evening").css_first(".ledger").text().split())
    assert ("dusk" in own, "newsletter:" in own) == (True, False)


def test_what_one_did_to_oneself_does_not_repeat_the_name(busy, sign_in):
    desk = sign_in()
    with busy.site.database.writing() as session:
        me = operators.numbered(session, desk.operator_id)
        operators.set_password(session, me, "argon2", actor=f"operator:{me.id}", now=busy.clock())
    assert sentences(desk)[0] == f"{desk.address} chose a new password"


def test_an_operator_of_one_newsletter_sees_its_entries_only(busy, sign_in):
    desk = sign_in(Role.VIEWER, "morning")
    assert [each for each in sentences(desk) if "issue" in each] == ["Eve paused issue “A bridge opens”"]
    for query in ("", "?who=operator%3A3", "?what=operators", "?newsletter=morning"):
        told = sentences(desk, query)
        assert not [each for each in told if "feeds" in each or "operator" in each or "Evening" in each]
    page = desk.page("/audit-log")
    assert "/desk/operators" not in page.html
    assert "ana@press.example" not in page.html
    answer = desk.get("/audit-log?newsletter=evening")
    assert (answer.status_code, "There is no such newsletter here" in answer.text) == (422, True)


def test_filters_narrow_the_entries_and_stay_in_the_form(busy, sign_in):
    desk = sign_in()
    assert sentences(desk, "?who=operator%3A1") == ["Eve added operator 3", "Eve paused issue “A bridge opens”"]
    assert sentences(desk, "?who=operator%3A1&what=issues") == ["Eve paused issue “A bridge opens”"]
    assert len(sentences(desk, "?who=cli&what=operators")) == 2
    today = busy.clock().date()
    assert sentences(desk, f"?until={today - timedelta(days=1)}") == []
    assert len(sentences(desk, f"?since={today}&until={today}")) == len(sentences(desk))
    page = desk.page("/audit-log?who=operator%3A1&what=issues")
    chosen = [each.attributes["value"] for each in page.css("option[selected]")]
    assert chosen == ["operator:1", "issues"]


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-02-31", "until=9999-12-31", "since=%00"])
def test_a_day_that_is_none_is_told(busy, sign_in, query):
    answer = sign_in().get(f"/audit-log?{query}")
    if query.endswith("%00"):
        assert answer.status_code == 200
    else:
        assert (answer.status_code, "Enter one like 2026-03-31" in answer.text) == (422, True)


def test_unknown_filters_find_nothing_or_everything_but_never_fail(busy, sign_in):
    desk = sign_in()
    for query in ("who=%00", "who=operator%3Ax", "what=nothing", "before=x", "before=" + "9" * 40, "before=0"):
        assert desk.get(f"/audit-log?{query}").status_code == 200


def test_older_entries_are_a_page_further(busy, sign_in):
    desk = sign_in()
    with busy.site.database.writing() as session:
        feed = a_feed(session, newsletters.named(session, "morning"))
        for _ in range(60):
            feeds.make_due(session, feed_ids=[feed.id], actor="worker", now=busy.clock())
    first = desk.page("/audit-log")
    older = first.css_first("a[rel=next]").attributes["href"]
    second = desk.page(older.removeprefix("/desk"))
    assert len(first.css(".ledger li")) == 50
    assert "Earlier changes" in second.css_first("h1").text()
    numbers = {each.text().rpartition("entry ")[2] for page in (first, second) for each in page.css(".ledger small")}
    assert len(numbers) == len(first.css(".ledger li")) + len(second.css(".ledger li"))
