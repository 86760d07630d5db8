"""Send oneself a test of an issue, in one of its languages."""

from fastapi.responses import Response

from newsletter.content.issues.issues import Issue
from newsletter.errors import Refused
from newsletter.languages.languages import language
from newsletter.mail.mailings import issue_tests
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.failures import status_of
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.issues import issue_page

router = DeskRouter()


@router.action("/issues/{issue_id}/test", Role.EDITOR)
def send_test(issue_id: int, desk: CurrentDesk, form: PostedForm) -> Response:
    """Send the operator the letter that readers would get."""
    site = desk.site
    try:
        with site.database.writing() as session:
            issue = session.get_one(Issue, issue_id)
            known = {language(tag).tag for tag in session.get_one(Newsletter, issue.newsletter_id).languages}
            wanted = forms.text(form, "language")
            issue_tests.owe_test(
                session,
                issue,
                operator_id=desk.operator.operator_id,
                templates=site.templates,
                base_url=site.settings.base_url,
                now=site.now(),
                tag=wanted if wanted in known else None,
            )
    except Refused as error:
        with site.database.reading() as session:
            issue = session.get_one(Issue, issue_id)
            return issue_page.render(desk, session, issue, status=status_of(error), problem=str(error))
    site.wakeups.wake(Queue.URGENT)
    return desk.done(f"/issues/{issue_id}", "tested")
