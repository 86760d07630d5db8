"""What the demo leaves behind at the desk."""

from sqlalchemy import select

from newsletter import newsletters
from newsletter.cli.demo import desk
from newsletter.cli.demo.samples import sample_in
from newsletter.cli.demo.steps import DemoNewsletter
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.links import Purpose
from newsletter.operators.grants import Grant
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.roles import Role
from tests.content.builders import a_feed, an_entry, store


def test_the_demo_invites_an_administrator_to_a_draft_that_waits_and_a_feed_that_fails(service):
    sample = sample_in("en")
    service.newsletter(sample.slug)
    with service.site.database.writing() as session:
        feed = a_feed(session, newsletters.named(session, sample.slug))
        store(session, feed, an_entry("bridge"), an_entry("bus"), now=service.clock())
    link = desk.furnish(service.site, DemoNewsletter("en", sample, "http://127.0.0.1:1/feed.xml"), articles=2)
    with service.site.database.reading() as session:
        (number,) = service.site.links.read(link.rpartition("/")[2], Purpose.OPERATOR_LINK)
        grant = session.scalars(select(Grant)).one()
        assert (grant.operator_id, grant.role) == (session.get_one(OperatorLink, number).operator_id, Role.ADMIN)
        assert session.scalars(select(Issue.status)).one() is IssueStatus.DRAFTED
        assert "http://127.0.0.1:1/moved-away.xml" in session.scalars(select(Feed.url)).all()
