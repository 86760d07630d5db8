"""Today: what leaves next, what waits for somebody, and what is wrong."""

from fastapi.responses import HTMLResponse

from newsletter import newsletters
from newsletter.content.issues.issues import IssueStatus
from newsletter.operators.roles import Role
from newsletter.web.desk import near_times
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Department
from newsletter.web.desk.today import attention, departures, history, open_issues, steps
from newsletter.web.desk.today.headline import headline
from newsletter.web.site import ReadingSession

DEPARTMENT = Department("Today", "/desk")
NOTICES = {"test-sent": "A test letter is on its way to your address. It arrives within a minute or two."}

router = DeskRouter()


@router.page("", Role.VIEWER, AccessScope.SOMEWHERE)
def today(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the day."""
    who, now = desk.operator, desk.site.now()
    grants, zone = who.grants, who.zone
    own = {each.id: each for each in newsletters.every(session) if who.may(Role.VIEWER, each.id)}
    issues = open_issues.read(session, grants, own)
    paused, waiting, approved = (
        issues[status] for status in (IssueStatus.PAUSED, IssueStatus.DRAFTED, IssueStatus.APPROVED)
    )
    leaving = issues[IssueStatus.SENDING]
    planned = departures.read(session, grants, own, approved, zone=zone, now=now)
    left = steps.left(session, who)
    concerns = attention.of_issues(paused, open_issues.pause_reasons(session, paused))
    concerns += attention.of_service(session, zone=zone, now=now) if who.may(Role.VIEWER) else []
    concerns += attention.of_feeds(session, grants, zone=zone, now=now)
    concerns += attention.of_expired_drafts(session, grants, zone=zone, now=now)
    concerns += attention.of_words(session, own)
    days = history.read_days(session, grants, now=now)
    lately, letters = history.read_sent(session, grants, own, now=now)
    mine = [each for each in waiting if who.may(Role.PUBLISHER, each.newsletter.id)]
    return desk.page(
        "today/page",
        notices=NOTICES,
        headline=headline(
            paused=len(paused),
            leaving=len(leaving),
            waiting=len(waiting),
            for_you=bool(mine) and len(mine) == len(waiting),
            steps=0 if planned.next else len(left.steps),
            next_one=near_times.clock_time(planned.next[0].at, zone=zone, now=now) if planned.next else None,
        ),
        leaving=leaving,
        waiting=waiting,
        may_approve={each.issue.id for each in mine},
        departures=planned.next,
        steps=left,
        concerns=concerns,
        lately=lately,
        readers=days.by_newsletter,
        history=history.history(days, letters, grants),
        newsletters=own,
        clock_time=lambda moment: near_times.clock_time(moment, zone=zone, now=now),
        site_url=desk.site.settings.base_url,
    )
