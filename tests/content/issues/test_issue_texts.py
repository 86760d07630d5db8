"""The texts of an issue: given with the draft, changed until it is approved, and shown above its articles."""

import pytest

from newsletter import audit_log
from newsletter.content.digests import drafting
from newsletter.content.issues import approvals, headings, issue_texts, issues, transitions
from newsletter.errors import Malformed, Refused
from newsletter.languages.languages import ENGLISH
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

BY = {"actor": "cli:ana", "now": NOON}


@pytest.fixture
def desk(begin):
    """A session, a newsletter and its draft of two articles."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus", "bridge")
        yield session, newsletter, drafting.draft(session, newsletter, articles=2, **BY)


def test_an_issue_s_heading_is_the_newsletter_and_its_day_until_it_gets_its_own(desk):
    session, newsletter, issue = desk

    def shown() -> str:
        return headings.heading(issues.edition(session, issue), newsletter, issue.run_at, ENGLISH)

    assert shown() == "The Morning Letter, Saturday 14 March 2026"
    issue_texts.change(session, issue, heading=" A week\n of rain ", **BY)
    assert shown() == "A week of rain"
    issue_texts.change(session, issue, heading="About Bus!", **BY)
    assert shown() == "The Morning Letter, Saturday 14 March 2026", "the headline below says the same"


def test_an_introduction_has_one_or_two_paragraphs_of_plain_text(desk):
    session, _, issue = desk
    issue_texts.change(session, issue, introduction="\ufeffDear\r\nall,\r\n \r\n\r\nit rains < 3 mm.\n", **BY)
    assert issues.edition(session, issue).introduction == ("Dear all,", "it rains < 3 mm.")
    for text, says in [
        ("One\n\nTwo\n\nThree", "one or two paragraphs"),
        ("word " * 400, "at most 1,200"),
        ("<p>Hi</p>", "without HTML"),
    ]:
        with pytest.raises(Malformed, match=says) as error:
            issue_texts.change(session, issue, introduction=text, **BY)
        assert error.value.field == "introduction"
    issue_texts.change(session, issue, introduction="", **BY)
    assert issues.edition(session, issue).introduction == ()


def test_an_issue_s_texts_change_with_its_hash_until_it_is_sent(desk):
    session, _, issue = desk
    hashes = {issues.content_hash(session, issue)}
    own = {"title": "Rain", "preheader": "And sun", "heading": "A week of rain", "introduction": "It rains."}
    for name, text in own.items():
        issue_texts.change(session, issue, **{name: text}, **BY)
        hashes.add(issues.content_hash(session, issue))
    assert len(hashes) == 5, "what was approved covers each text"
    logged = audit_log.about(session, subject=f"issue:{issue.id}", verb="issue texts changed")
    assert [entry.fields["fields"] for entry in logged] == [[name] for name in own]
    issue_texts.change(session, issue, title="", **BY)
    assert (issue.title, issue.has_generated_title) == ("About bus, and 1 more", True)
    with pytest.raises(Refused, match="like that already"):
        issue_texts.change(session, issue, heading="A week of rain", **BY)
    approvals.approve(session, issue, **BY)
    transitions.begin_sending(session, issue, **BY)
    with pytest.raises(Refused, match="is sending; only a draft or an approved issue can be changed"):
        issue_texts.change(session, issue, heading="Sun", **BY)
