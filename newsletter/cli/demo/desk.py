"""Give the demo's desk something to show: an administrator's invitation, a draft that waits, and a feed that fails."""

from newsletter import audit_log, clock, newsletters
from newsletter.cli.demo.steps import DemoNewsletter
from newsletter.content.digests import digests, drafting
from newsletter.content.feeds import feeds
from newsletter.links import Purpose
from newsletter.operators import operator_links, operators
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.site import Site

OPERATOR = "you@demo.example"


def furnish(site: Site, demo: DemoNewsletter, *, articles: int) -> str:
    """Add what the desk shows beside the issue that was sent; return the link that opens the desk."""
    actor, now = audit_log.system_user(), clock.now()
    with site.database.writing() as session:
        newsletter = newsletters.named(session, demo.sample.slug)
        weekly = digests.add(
            session,
            newsletter,
            name="Weekly review",
            cron="0 8 * * 5",
            articles=articles,
            archive=True,  # the feed may be a file of years ago
            actor=actor,
            now=now,
        )
        drafting.draft_now(session, weekly.id, actor=actor, now=now)
        feeds.add(session, newsletter, f"{demo.feed.rpartition('/')[0]}/moved-away.xml", actor=actor, now=now)
        operator = operators.add(session, OPERATOR, role=Role.ADMIN, actor=actor, now=now)
        link = operator_links.make(session, operator, LinkPurpose.INVITATION, actor=actor, now=now)
    site.wakeups.wake(Queue.FEEDS)
    return site.links.url(Purpose.OPERATOR_LINK, link.id)
