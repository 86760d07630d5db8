"""The three journeys, through the real thing: site over HTTP, Celery worker and beat, feed server, outbox or SMTP."""

from newsletter.consent.subscribers import Standing, Subscription
from tests.journeys.running_service import text
from tests.waiting import eventually


def test_from_sign_up_to_the_first_letter(town):
    town.visitor.sign_up("morning", "ana@example.org", "Ana")
    (asking,) = town.letters("ana@example.org")
    assert "I ask Example Press" in text(asking)
    town.publishes("A bridge opens")
    town.fetches(articles=1)
    town.subscribes("control@example.org")
    town.is_due("before she confirmed")
    town.letters("control@example.org", 2)
    assert len(town.letters("ana@example.org")) == 1, "nothing but the confirmation before she confirms"

    town.visitor.confirm(asking)
    town.publishes("A bridge opens", "The bus waits")
    town.fetches(articles=2)
    town.is_due("after she confirmed")
    (_, first) = town.letters("ana@example.org", 2)
    assert "The bus waits" in text(first)
    assert "A bridge opens" not in text(first), "an article goes out once"
    assert town.findings() == []


def test_from_feed_to_inbox(town):
    readers = [f"reader{number}@example.org" for number in range(5)]
    for reader in readers:
        town.subscribes(reader)
    town.publishes("A bridge opens", "The bus waits", "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}")
    town.fetches(articles=3)
    town.is_due("daily")
    letters = [town.letters(reader, 2) for reader in readers]
    for _, issue in letters:
        assert [part.get_content_type() for part in issue.iter_parts()] == ["text/plain", "text/html"]
        assert "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}" in text(issue)
        assert issue["Bcc"] is None
        html = issue.get_body(("html",)).get_content()
        assert "<script" not in html
        assert "https://town.example/a-bridge-opens" in html
        assert issue["List-Unsubscribe"] != letters[0][1]["List-Unsubscribe"] or readers[0] in issue["To"]
    assert eventually(lambda: town.findings() == [])
    identities = [letter["Message-ID"] for mine in letters for letter in mine]
    assert len(set(identities)) == len(identities)


def test_from_one_click_to_silence(town):
    for reader in ("weary@example.org", "happy@example.org"):
        town.subscribes(reader)
    town.publishes("A bridge opens")
    town.fetches(articles=1)
    town.is_due("first")
    (_, issue) = town.letters("weary@example.org", 2)
    town.visitor.leave(issue)
    with town.database.reading() as session:
        assert sorted(row.standing for row in session.query(Subscription)) == [Standing.LEFT, Standing.SUBSCRIBED]
    town.publishes("A bridge opens", "The bus waits")
    town.fetches(articles=2)
    town.is_due("second")
    assert len(town.letters("happy@example.org", 3)) == 3
    assert len(town.letters("weary@example.org")) == 2
    assert town.findings() == []
