"""Journeys through the running service: site over HTTP, Celery worker and beat, feed server, outbox or SMTP."""

from newsletter.consent.subscribers.subscribers import Standing, Subscription
from tests.journeys.running_service import text
from tests.waiting import eventually


def test_a_reader_gets_letters_only_after_confirming(service):
    service.visitor.sign_up("morning", "ana@example.org", "Ana")
    (confirmation,) = service.letters("ana@example.org")
    assert "I ask Example Press" in text(confirmation)
    service.publish("A bridge opens")
    service.fetch(articles=1)
    service.subscribe("control@example.org")
    service.run_digest()
    service.letters("control@example.org", 2)
    assert len(service.letters("ana@example.org")) == 1, "nothing but the confirmation before she confirms"

    service.visitor.confirm(confirmation)
    service.publish("A bridge opens", "The bus waits")
    service.fetch(articles=2)
    service.run_digest()
    (_, first) = service.letters("ana@example.org", 2)
    assert "The bus waits" in text(first)
    assert "A bridge opens" not in text(first), "an article goes out once"
    assert service.findings() == []


def test_articles_of_a_feed_reach_every_reader(service):
    readers = [f"reader{number}@example.org" for number in range(5)]
    for reader in readers:
        service.subscribe(reader)
    service.publish("A bridge opens", "The bus waits", "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}")
    service.fetch(articles=3)
    service.run_digest()
    letters = [service.letters(reader, 2) for reader in readers]
    for _, issue in letters:
        assert [part.get_content_type() for part in issue.iter_parts()] == ["text/plain", "text/html"]
        assert "=?utf-8?q?=0ABcc:_x=40y.z?= and {{ 7*7 }}" in text(issue)
        assert issue["Bcc"] is None
        html = issue.get_body(("html",)).get_content()
        assert "<script" not in html
        assert "https://town.example/a-bridge-opens" in html
        assert issue["List-Unsubscribe"] != letters[0][1]["List-Unsubscribe"] or readers[0] in issue["To"]
    assert eventually(lambda: service.findings() == [])
    identities = [letter["Message-ID"] for mine in letters for letter in mine]
    assert len(set(identities)) == len(identities)


def test_a_reader_who_unsubscribes_gets_no_more_letters(service):
    for reader in ("weary@example.org", "happy@example.org"):
        service.subscribe(reader)
    service.publish("A bridge opens")
    service.fetch(articles=1)
    service.run_digest()
    (_, issue) = service.letters("weary@example.org", 2)
    service.visitor.leave(issue)
    with service.database.reading() as session:
        assert sorted(row.standing for row in session.query(Subscription)) == [Standing.LEFT, Standing.SUBSCRIBED]
    service.publish("A bridge opens", "The bus waits")
    service.fetch(articles=2)
    service.run_digest()
    assert len(service.letters("happy@example.org", 3)) == 3
    assert len(service.letters("weary@example.org")) == 2
    assert service.findings() == []


def test_a_reader_sees_all_newsletters_only_by_a_link_that_is_mailed(service):
    service.subscribe("ana@example.org")
    service.publish("A bridge opens")
    service.fetch(articles=1)
    service.run_digest()
    (_, issue) = service.letters("ana@example.org", 2)
    browser = service.visitor.browser
    link = preferences_link(issue)
    assert "checkbox" not in browser.get(link).text
    assert browser.post(link, data={"link": "yes"}).status_code == 200
    (letter,) = service.letters("ana@example.org", about="Your link")
    fresh = preferences_link(letter)
    assert "checkbox" in browser.get(fresh).text
    assert "You no longer get" in browser.post(fresh, data={"save": "yes"}).text
    with service.database.reading() as session:
        assert [row.standing for row in session.query(Subscription)] == [Standing.LEFT]
    assert service.findings() == []


def preferences_link(letter):
    return next(line for line in text(letter).splitlines() if "/preferences/" in line)
