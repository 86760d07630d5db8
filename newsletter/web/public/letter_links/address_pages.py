"""Change the address: the form behind a freshly mailed link, and the page that the link to the new address opens.

GET shows; POST acts. The answer to the form has the same status, words and time whatever is known about the new
address: the request stores the change, and a worker decides about the letter.
"""

from typing import Any

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.addresses import Address
from newsletter.consent.limits import inboxes
from newsletter.consent.link_lifetime import LINK_HOURS
from newsletter.consent.subscribers import address_changes, subscribers
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.errors import LinkExpired, Malformed
from newsletter.languages.translatable import Translatable
from newsletter.links import Purpose
from newsletter.mail.mailings import preference_links
from newsletter.privacy import address_confirmations
from newsletter.queues.wakeups import Queue
from newsletter.web.form_data import RequestForm, first_value, is_checked, shown_again
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.public.forms.signup_form import reachable_address
from newsletter.web.public.letter_links import fresh_links
from newsletter.web.public.letter_links.fresh_links import FreshReader
from newsletter.web.site import CurrentSite, ReadingSession, RequestTrace, Site, WritingSession

router = APIRouter()


@router.get("/preferences/{token}/address")
def address_form(token: str, site: CurrentSite, session: ReadingSession) -> Response:
    """Show the present address and the field for a new one."""
    reader = fresh_links.read(site, session, token)
    if reader is None or not reader.reads:
        return fresh_links.say_it_ended(site, token)
    return _form(site, reader)


@router.post("/preferences/{token}/address")
@route_rules(body_limit=FORM_BODY_BYTES)
def ask(token: str, form: RequestForm, site: CurrentSite) -> Response:
    """Store the change; a worker owes the new address a letter, unless that inbox gets none from us."""
    offered = site.offered.get()
    with site.database.writing() as session:
        reader = fresh_links.read(site, session, token)
        if reader is None or not reader.reads:
            return fresh_links.say_it_ended(site, token)
        try:
            wanted = reachable_address(offered, first_value(form, address_changes.FIELD))
            _store(site, session, reader, wanted)
        except LinkExpired:
            return fresh_links.say_it_ended(site, token)
        except Malformed as error:
            return _form(site, reader, entered=shown_again(form, address_changes.FIELD), error=error.told, status=422)
        answer = site.page("address_asked", **reader.shown(site), address=wanted.written, hours=LINK_HOURS)
    site.wakeups.wake(Queue.URGENT)
    return answer


def _store(site: Site, session: Session, reader: FreshReader, wanted: Address) -> None:
    now, own = site.now(), subscribers.lock_by_id(session, reader.subscriber.id)
    # The reader may have confirmed another address while this waited for the row; the link has ended then.
    if own is None or own.address_key is None or not fresh_links.opens(site, session, own.id, reader.minute):
        raise LinkExpired
    fold_key = inboxes.fold(site.keyring, inboxes.inbox(wanted.key).key)
    address_changes.ask(session, own.id, own.address_key, wanted, fold_key=fold_key, now=now)


def _form(
    site: Site, reader: FreshReader, *, entered: str = "", error: Translatable | str | None = None, status: int = 200
) -> HTMLResponse:
    told = reader.language.text(error) if error else None
    present = addresses.mask(reader.subscriber.address or "")
    return site.page(
        "address_change", **reader.shown(site), address=present, entered=entered, error=told, status=status
    )


@router.get("/address/{token}")
def confirm_page(token: str, site: CurrentSite, session: ReadingSession) -> HTMLResponse:
    """Show the button of the new address, and the one by which its owner refuses."""
    return _about(site, session, _find(site, session, token))


@router.post("/address/{token}")
@route_rules(body_limit=FORM_BODY_BYTES)
def confirm(
    token: str,
    form: RequestForm,
    site: CurrentSite,
    session: WritingSession,
    trace: RequestTrace,
    afterwards: BackgroundTasks,
) -> HTMLResponse:
    """Move the letters to the new address, or never write to it again. Repeating either is no error.

    A POST without a button of the page, such as a scanner's, changes nothing: its answer is the page.
    """
    change = _find(site, session, token)
    ids = change.id, change.nonce
    if is_checked(form, "never"):
        address_confirmations.refuse(session, site.keyring, ids, trace=trace, now=site.now())
        return site.page("never_done", **_look(session, change))
    if not is_checked(form, "confirm"):
        return _about(site, session, change, status=422)
    try:
        address_confirmations.confirm(
            session,
            site.keyring,
            ids,
            trace=trace,
            templates=site.templates,
            base_url=site.settings.base_url,
            now=site.now(),
        )
    except LinkExpired:
        return _ended(site, session, change)
    afterwards.add_task(site.wakeups.wake, Queue.URGENT)  # once this transaction is committed
    return _about(site, session, change)


def _find(site: Site, session: Session, token: str) -> AddressChange:
    return address_changes.find(session, site.links.read(token, Purpose.CHANGE_ADDRESS))


def _about(site: Site, session: Session, change: AddressChange, *, status: int = 200) -> HTMLResponse:
    """Show what the link can do now, or what it has done."""
    address = addresses.mask(change.address)
    if change.state is AddressChangeState.CONFIRMED:
        return site.page("address_changed", **_look(session, change), address=address)
    look, reader = _look(session, change), session.get(Subscriber, change.subscriber_id)
    if not (change.is_open(now=site.now()) and reader and reader.address):
        return _ended(site, session, change)
    former = addresses.mask(reader.address)
    return site.page("address_confirm", **look, address=address, former=former, status=status)


def _ended(site: Site, session: Session, change: AddressChange) -> HTMLResponse:
    return site.page("address_link_ended", **_look(session, change), address=addresses.mask(change.address), status=410)


def _look(session: Session, change: AddressChange) -> dict[str, Any]:
    """Return the arguments of `Site.page` for a newsletter and the language of the reader who asked."""
    found = preference_links.sender_of(session, change.subscriber_id, None, leavers_too=True)
    if found is None:
        raise LinkExpired
    return {"tag": found[1].tag, "newsletter": found[0]}
