"""POST /subscribe, whose answer is the same for every address."""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import replacements
from newsletter.consent.signups.replacements import Former
from newsletter.queues.wakeups import Queue
from newsletter.web import cross_site
from newsletter.web.form_data import first_value, parse_body
from newsletter.web.guards import FORM_BODY_BYTES, SAME_ORIGIN, refuse_by_length, route_rules
from newsletter.web.public.box import box_signups
from newsletter.web.public.check_inbox import page as check_inbox
from newsletter.web.public.check_inbox.page import CheckInbox, Sending
from newsletter.web.public.forms import posted_signs, posted_signups, posting_sites, signup_answers
from newsletter.web.public.forms.posting_sites import NotRegistered
from newsletter.web.public.forms.signup_answers import PostedSignup
from newsletter.web.public.forms.signup_form import InvalidForm, SignupForm, named_in, parse_signup_form
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters
from newsletter.web.site import Site, request_trace

METHODS = {
    Sending.FIRST: EvidenceTerm.FORM_ON_THE_WEB,
    Sending.AGAIN: EvidenceTerm.FORM_SENT_AGAIN,
    Sending.CORRECTED: EvidenceTerm.FORM_CORRECTED,
}


@route_rules(body_limit=FORM_BODY_BYTES, referrer=SAME_ORIGIN)
async def subscribe(request: Request) -> Response:
    """Accept a sign-up: insert one row, and answer 202 with the same text for every address.

    It is a `PlainRoute`: calling dependencies would be a fifth of a sign-up's costs.
    """
    site: Site = request.app.state.site
    cross_site.share(request, site.offered.last_read, [])  # until it is known what the request is about
    await refuse_by_length(request)
    form = await parse_body(request)
    trace = await request_trace(request, site)
    names = named_in(form)
    posted = PostedSignup(request, site, form, names, await _offered(site, names))
    try:
        posted_from = posting_sites.admit(request, site, posted.offered, posted.chosen)
        signup = parse_signup_form(form, names, posted.offered)
    except NotRegistered:
        return await run_in_threadpool(signup_answers.not_registered, posted)
    except InvalidForm as form_errors:
        return await run_in_threadpool(signup_answers.invalid, posted, form_errors.errors)
    return signup_answers.accepted(posted, await _store(posted, signup, posted_from, trace))


async def _offered(site: Site, names: OfferedNames) -> OfferedNewsletters:
    """Return the newsletters. They are almost always in memory: only reading them again takes a thread."""
    fresh = site.offered.fresh(names)
    return await run_in_threadpool(site.offered.get, names) if fresh is None else fresh


async def _store(posted: PostedSignup, signup: SignupForm, posted_from: str, trace: Trace) -> CheckInbox:
    """Store the row of a valid sign-up, wake a worker, and return what the answer shows."""
    site, form = posted.site, posted.form
    named = first_value(form, "replaces")
    former = replacements.read(site.keyring, named)
    sending = check_inbox.sending(signup, former)
    page = box_signups.page_stated(posted.request, signup, form)
    row = posted_signups.values(
        site,
        posted.offered,
        signup,
        observed={**page, EvidenceField.SITE: posted_from, EvidenceField.METHOD: METHODS[sending]},
        trace=trace,
        replaces=named if former else None,
        **posted_signs.read(form, site.keyring, now=site.now()),
    )
    await site.store_signup(row)
    site.wakeups.wake(Queue.URGENT)
    name = replacements.name(site.keyring, Former(row["address_key"], row["nonce"]))
    return CheckInbox(signup, form, name, sending, posting_sites.way_back(posted_from, signup.newsletters))
