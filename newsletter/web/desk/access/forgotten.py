"""A forgotten password: ask for a link by mail. The answer is the same for every address."""

from contextlib import suppress

from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

from newsletter import addresses, audit_log
from newsletter.errors import Malformed, Refused
from newsletter.mail.mailings import operator_letters
from newsletter.operators import operator_links
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sign_in_attempts import TooManyAttempts
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.access import attempts
from newsletter.web.desk.frame import failures
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm, text
from newsletter.web.site import RequestTrace

NO_LETTERS = "This desk sends no letters. An administrator can make a link for you."
NOTICES = {
    "sent": "If this address belongs to an operator, a letter with a link is on its way. It can take a minute.",
}

router = DeskRouter()


@router.page("/sign-in/forgotten", Role.VIEWER, AccessScope.OPEN)
def forgotten_page(desk: CurrentDesk) -> HTMLResponse:
    """Show the form."""
    return _page(desk)


@router.action("/sign-in/forgotten", Role.VIEWER, AccessScope.OPEN)
def ask_for_link(desk: CurrentDesk, form: PostedForm, trace: RequestTrace) -> Response:
    """Mail a link to the operator with this address, if there is one and they were not sent several in this hour."""
    if not desk.site.settings.service_sender:
        raise Refused(NO_LETTERS)
    entered = text(form, "address")
    try:
        address = addresses.parse(entered, field="address").key
        by_network, by_account = attempts.on_link(desk.site, address=address, ip=trace.ip)
        attempts.count(desk.site, by_network)
    except Malformed as error:
        return _page(desk, address=entered, errors={"address": str(error)})
    except TooManyAttempts as error:
        answer = _page(desk, address=entered, errors={"address": str(error)}, status=failures.status_of(error))
        answer.headers.update(failures.retry_after(error))
        return answer
    with suppress(TooManyAttempts):  # then the letters of this hour are enough, and the answer is the same
        attempts.count(desk.site, by_account)
        _send(desk, address)
    return desk.done("/sign-in/forgotten", "sent")


def _send(desk: Desk, address: str) -> None:
    now = desk.site.now()
    with desk.site.database.writing() as session:
        operator = session.scalar(select(Operator).where(Operator.address == address))
        if operator:
            purpose = operator_links.purpose_for(operator)
            link = operator_links.make(session, operator, purpose, actor=audit_log.SITE, now=now)
            operator_letters.owe_link(
                session, link, operator, templates=desk.site.templates, settings=desk.site.settings, now=now
            )
    desk.site.wakeups.wake(Queue.URGENT)


def _page(
    desk: Desk, *, address: str = "", errors: dict[str, str] | None = None, status: int | None = None
) -> HTMLResponse:
    sends = desk.site.settings.service_sender is not None
    shown = {"address": address, "sends_letters": sends, "no_letters": NO_LETTERS}
    return desk.page("forgotten", status=status, errors=errors, notices=NOTICES, **shown)
