"""POST /subscribe, whose answer is the same for every address."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.signups import replacements
from newsletter.consent.signups.replacements import Former
from newsletter.consent.wordings.rendered_forms import Entered
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable
from newsletter.queues.wakeups import Queue
from newsletter.web import cross_site, negotiation
from newsletter.web.failures import wants_json
from newsletter.web.form_data import FormData, first_value, parse_body, shown_again
from newsletter.web.guards import FORM_BODY_BYTES, SAME_ORIGIN, refuse_by_length, route_rules
from newsletter.web.public.box import box_signups
from newsletter.web.public.check_inbox import page as check_inbox
from newsletter.web.public.check_inbox.page import CheckInbox, Sending
from newsletter.web.public.forms import posted_signs, posted_signups, posting_sites, signup_pages, thank_you_pages
from newsletter.web.public.forms.posting_sites import NotRegistered
from newsletter.web.public.forms.signup_form import InvalidForm, language_in, named_in, parse_signup_form
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters
from newsletter.web.site import Site, request_trace

MESSAGE = translatable(
    "We are sending a letter to this address. Open it and confirm; until then the address is not subscribed."
)
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
    offered = site.offered.fresh(names)
    if offered is None:  # the rows are almost always in memory: only reading them again takes a thread
        offered = await run_in_threadpool(site.offered.get, names)
    chosen = offered.chosen(names)
    try:
        posted_from = posting_sites.admit(request, site, offered, chosen)
        signup = parse_signup_form(form, names, offered)
    except NotRegistered:
        return await run_in_threadpool(
            posting_sites.refusal, request, site, chosen, _tag(request, form, names, offered)
        )
    except InvalidForm as invalid:
        return await run_in_threadpool(_invalid, request, form, site, names, invalid.errors)
    former = replacements.read(site.keyring, first_value(form, "replaces"))
    sending = check_inbox.sending(signup, former)
    signs = posted_signs.read(form, site.keyring, now=site.now())
    page = box_signups.page_stated(request, signup, form)
    observed = {**page, EvidenceField.SITE: posted_from, EvidenceField.METHOD: METHODS[sending]}
    corrected = first_value(form, "replaces") if former else None
    row = posted_signups.values(site, offered, signup, observed=observed, trace=trace, replaces=corrected, **signs)
    await site.store_signup(row)
    site.wakeups.wake(Queue.URGENT)
    headers = {"Content-Language": language(signup.language).tag}
    name = replacements.name(site.keyring, Former(row["address_key"], row["nonce"]))
    answer = CheckInbox(signup, form, name, sending, posting_sites.way_back(posted_from, signup.newsletters))
    thanks = thank_you_pages.after_signup(signup.newsletters)
    if wants_json(request):
        if box_signups.is_of_box(signup):
            told = {**box_signups.told(signup, sending), **check_inbox.named(answer)}
        else:
            told = {"message": language(signup.language).text(MESSAGE)}
        ways = {**check_inbox.doubts(answer), **({"next": thanks} if thanks else {})}
        return JSONResponse({**told, **ways}, 202, headers)
    if thanks:
        return thank_you_pages.lead_to(thanks)
    return HTMLResponse(check_inbox.show(site, offered, answer), 202, headers)


def _invalid(
    request: Request, form: FormData, site: Site, names: OfferedNames, errors: Mapping[str, Translatable | str]
) -> Response:
    """Answer 422 with the form, the entered values and the errors; to a program with the errors alone."""
    offered = site.offered.get(names)
    chosen = offered.chosen(names)
    tag = _tag(request, form, names, offered)
    thank_you_pages.allow(request, chosen or offered.newsletters.values())
    if wants_json(request):
        return JSONResponse({"errors": _told(errors, tag)}, 422, {"Content-Language": language(tag).tag})
    email, name = shown_again(form, "email"), shown_again(form, "name")
    # The name of the sign-up that this one corrects, so that it still does once its errors are corrected.
    entered = Entered(email, name, names.slugs, replaces=first_value(form, "replaces")[: replacements.MAX_CHARACTERS])
    if (posted := offered.form(names.form)) and len(posted.newsletters) > 1:
        shown = signup_pages.form_of_several(offered, tag)
        tag = shown.wording.language if shown else tag
        return signup_pages.several(site, tag, entered=entered._replace(errors=_told(errors, tag)), status=422)
    if chosen:
        shown = offered.current(chosen[0], tag)
        tag = shown.wording.language if shown else tag
        with site.database.reading() as session:
            entered = entered._replace(errors=_told(errors, tag))
            return signup_pages.one(site, session, chosen[0], tag, entered=entered, status=422)
    return site.page(
        "refused",
        tag=tag,
        status=422,
        title=language(tag).text(translatable("The form is incomplete")),
        explanation=" ".join(_told(errors, tag).values()),
        remedy=language(tag).text(translatable("Please open the newsletter's page and sign up there.")),
    )


def _tag(request: Request, form: FormData, names: OfferedNames, offered: OfferedNewsletters) -> str:
    """Return the language of an answer: that of the form, else the one that suits the visitor best."""
    chosen = offered.chosen(names)
    offered_tags = negotiation.offered_in_any(chosen or offered.newsletters.values())
    return language_in(form, names, offered) or negotiation.language_of(request, offered_tags)


def _told(errors: Mapping[str, Translatable | str], tag: str) -> dict[str, str]:
    return {field: language(tag).text(error) for field, error in errors.items()}
