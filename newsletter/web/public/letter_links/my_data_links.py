"""Asking by an address for the link to what we store about it."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import SQLAlchemyError

from newsletter import addresses
from newsletter.consent.subscribers import subscribers
from newsletter.errors import Malformed
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable
from newsletter.links import FRESH_HOURS
from newsletter.mail.mailings import preference_links
from newsletter.queues.wakeups import Queue
from newsletter.redaction import log_failure
from newsletter.store import conflicts
from newsletter.web import negotiation
from newsletter.web.form_data import RequestForm, first_value, shown_again
from newsletter.web.guards import FORM_BODY_BYTES, route_rules
from newsletter.web.negotiation import WantedLanguages
from newsletter.web.site import CurrentSite, Site

router = APIRouter()

log = logging.getLogger(__name__)


@router.get("/my-data")
def ask_page(site: CurrentSite, wanted: WantedLanguages) -> HTMLResponse:
    """Show the field for an address."""
    return _ask_page(site, wanted)


@router.post("/my-data")
@route_rules(body_limit=FORM_BODY_BYTES)
def ask(form: RequestForm, site: CurrentSite, wanted: WantedLanguages, later: BackgroundTasks) -> HTMLResponse:
    """Answer the same for every address, and in the same time: whether a letter is owed is decided afterwards.

    If the process ends before that, no letter comes, and the person asks once more.
    """
    try:
        address = addresses.parse(first_value(form, "email"))
    except Malformed as error:
        return _ask_page(site, wanted, entered=shown_again(form, "email"), error=error.told, status=422)
    later.add_task(_owe_link, site, address.key)
    return site.page(
        "link_mailed", **_look(site, wanted), address=address.written, hours=FRESH_HOURS, asks_for_data=True
    )


def _owe_link(site: Site, address_key: str) -> None:
    def owe() -> bool:
        with site.database.writing() as session:
            subscriber = subscribers.lock_by_key(session, address_key)
            return subscriber is not None and preference_links.owe(
                session,
                subscriber.id,
                asked_from=None,
                templates=site.templates,
                keyring=site.keyring,
                base_url=site.settings.base_url,
                now=site.now(),
                about_data=True,
            )

    try:
        is_owed = conflicts.repeat(owe)
    except SQLAlchemyError as error:  # the answer has been sent, and the error may name the address
        log_failure(log, "a link to what is stored about somebody could not be owed", error)
        return
    if is_owed:
        site.wakeups.wake(Queue.URGENT)


def _look(site: Site, wanted: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of `Site.page` for a visitor of whom nothing is known."""
    tag = negotiation.best(wanted, negotiation.offered_in_any(site.offered.known().values()))
    return {"tag": tag, "negotiated": True}


def _ask_page(
    site: Site,
    wanted: Sequence[str],
    *,
    entered: str = "",
    error: Translatable | str | None = None,
    status: int = 200,
) -> HTMLResponse:
    look = _look(site, wanted)
    told = language(look["tag"]).text(error) if error else None
    return site.page("my_data_ask", **look, entered=entered, error=told, status=status)
