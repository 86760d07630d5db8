"""The first steps that are left over: what a newsletter still lacks before its first issue."""

from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue
from newsletter.mail.letters.letters import IS_TEST, Letter
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame.signed_in import SignedIn


class Step(NamedTuple):
    """A first step."""

    name: str
    says: str
    path: str  # of the screen that leads through it


class StepsLeft(NamedTuple):
    """What is left to do, in order, and for which newsletter; None if there is no newsletter yet."""

    newsletter: Newsletter | None
    steps: list[Step]


NONE_LEFT = StepsLeft(None, [])


def of(slug: str) -> dict[str, Step]:
    """Return the steps of a newsletter by the last part of their paths, in order."""
    return {
        "feed": Step(
            "Add a feed",
            "The address of an RSS, Atom or JSON feed, or of the page that has one. You see what would come first.",
            f"/desk/start/{slug}/feed",
        ),
        "digest": Step(
            "Make a digest",
            "How many articles, and when they leave. You see the next ten runs before you save.",
            f"/desk/start/{slug}/digest",
        ),
        "letter": Step(
            "Send yourself a test letter",
            "The first issue as readers would get it, to your own address only.",
            f"/desk/start/{slug}/letter",
        ),
    }


BEGIN = Step(
    "Name your newsletter",
    "What readers subscribe to: its name, who publishes it, and the address it comes from.",
    "/desk/start",
)


def left(session: Session, who: SignedIn) -> StepsLeft:
    """Return the steps that are left for the oldest newsletter of the operator's that has no issue and lacks one."""
    of_newsletter = Newsletter.id
    has_feed = exists().where(Feed.newsletter_id == of_newsletter, Feed.removed_at.is_(None))
    has_digest = exists().where(Digest.newsletter_id == of_newsletter, Digest.rule["removed_at"].as_string().is_(None))
    has_issue = exists().where(Issue.newsletter_id == of_newsletter, Issue.number.is_not(None))
    has_test = exists().where(Letter.newsletter_id == of_newsletter, IS_TEST)
    rows = session.execute(
        select(Newsletter, has_feed, has_digest, has_test, has_issue)
        .where(who.grants.among(of_newsletter, Role.EDITOR))
        .order_by(of_newsletter)
    ).all()
    if not rows and who.may(Role.ADMIN):
        return StepsLeft(None, [BEGIN, *of("").values()])
    for newsletter, *done, is_running in rows:
        missing = [step for step, is_done in zip(of(newsletter.slug).values(), done, strict=True) if not is_done]
        if missing and not is_running:
            return StepsLeft(newsletter, missing)
    return NONE_LEFT
