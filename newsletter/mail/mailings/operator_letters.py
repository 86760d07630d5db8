"""Letters of the service itself to an operator: their link to the desk, and notices of what waits for them.

They are queued, claimed, sent and recorded like every letter, as tests without a newsletter. No stored text holds a
token: the link is a field, filled in when the letter is claimed. Without a sender in the settings none is owed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.links import Purpose
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose_for_operator
from newsletter.mail.letters.letterheads import DeskAddresses, ServiceLetterhead, service_letterhead
from newsletter.mail.letters.letters import LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.operators.mail_switches import NoticeKind
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator
from newsletter.templating import Templates

LANGUAGE = "en"  # the desk speaks no other yet


def owe_link(
    session: Session,
    link: OperatorLink,
    operator: Operator,
    *,
    templates: Templates,
    settings: DeskAddresses,
    now: datetime,
) -> bool:
    """Owe an operator the letter with this invitation or reset; return whether it is owed.

    It is not if the settings name no sender: then somebody else has to hand over the link. A link has one letter.
    """
    letterhead = service_letterhead(settings)
    if letterhead is None:
        return False
    ends_at = templating.local(link.expires_at, operator.zone or "UTC")
    fields = (Purpose.OPERATOR_LINK.value,)
    sheet = compose_for_operator(templates, link.purpose.value, letterhead=letterhead, fields=fields, ends_at=ends_at)
    _owe(session, operator, letterhead, sheet, occasion=f"operator-link:{link.id}", link_id=link.id, now=now)
    return True


def owe_notice(
    session: Session,
    kind: NoticeKind,
    operator: Operator,
    *,
    occasion: str,
    letterhead: ServiceLetterhead,
    path: str,
    context: Mapping[str, Any],
    templates: Templates,
    now: datetime,
) -> None:
    """Owe an operator a notice whose button leads to the desk's page `path`. The occasion must be new."""
    url = f"{letterhead.desk_url}/desk{path}"
    sheet = compose_for_operator(templates, kind.value, letterhead=letterhead, url=url, **context)
    _owe(session, operator, letterhead, sheet, occasion=occasion, now=now)


def _owe(
    session: Session,
    operator: Operator,
    letterhead: ServiceLetterhead,
    sheet: Sheet,
    *,
    occasion: str,
    link_id: int | None = None,
    now: datetime,
) -> None:
    letter, variant = letters.write(
        session,
        kind=LetterKind.TEST,  # which the release before can read
        occasion=occasion,
        newsletter_id=None,
        sender=letterhead.sender,
        operator_link_id=link_id,
        sheet=sheet,
        language=LANGUAGE,
        priority=Priority.URGENT,
        now=now,
    )
    deliveries.owe(session, letter, variant, recipient=operator.address, now=now)
