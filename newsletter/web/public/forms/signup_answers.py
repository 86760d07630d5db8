"""The answers to a posted sign-up form. A program gets JSON, a browser a page."""

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from newsletter.consent.signups.signups import MAX_REPLACES_CHARACTERS
from newsletter.consent.wordings.rendered_forms import Entered
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable
from newsletter.newsletters import Newsletter
from newsletter.web import negotiation
from newsletter.web.failures import wants_json
from newsletter.web.form_data import FormData, first_value, shown_again
from newsletter.web.public.box import box_signups
from newsletter.web.public.check_inbox import page as check_inbox
from newsletter.web.public.check_inbox.page import CheckInbox
from newsletter.web.public.forms import posting_sites, signup_pages, thank_you_pages
from newsletter.web.public.forms.signup_form import language_in
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters
from newsletter.web.site import Site

MESSAGE = translatable(
    "We are sending a letter to this address. Open it and confirm; until then the address is not subscribed."
)


class PostedSignup(NamedTuple):
    """A form as it was posted, whether or not it is valid, and the newsletters as they are offered."""

    request: Request
    site: Site
    form: FormData
    names: OfferedNames
    offered: OfferedNewsletters

    @property
    def chosen(self) -> list[Newsletter]:
        """The newsletters that the form names, as far as they exist."""
        return self.offered.chosen(self.names)

    @property
    def tag(self) -> str:
        """The language of an answer: that of the form, else the one that suits the visitor best."""
        offered_tags = negotiation.offered_in_any(self.chosen or self.offered.newsletters.values())
        known = language_in(self.form, self.names, self.offered)
        return known or negotiation.language_of(self.request, offered_tags)


def accepted(posted: PostedSignup, answer: CheckInbox) -> Response:
    """Answer a stored sign-up with what comes next: on the page that the newsletters name for it, else on ours."""
    thanks = thank_you_pages.after_signup(answer.signup.newsletters)
    if wants_json(posted.request):
        return _accepted_for_program(answer, thanks)
    if thanks:
        return thank_you_pages.lead_to(thanks)
    page = check_inbox.show(posted.site, posted.offered, answer)
    return HTMLResponse(page, 202, _headers(answer.signup.language))


def _accepted_for_program(answer: CheckInbox, thanks: str | None) -> Response:
    signup = answer.signup
    if box_signups.is_of_box(signup):
        told = {**box_signups.told(signup, answer.sending), **check_inbox.named(answer)}
    else:
        told = {"message": language(signup.language).text(MESSAGE)}
    ways = {**check_inbox.doubts(answer), **({"next": thanks} if thanks else {})}
    return JSONResponse({**told, **ways}, 202, _headers(signup.language))


def not_registered(posted: PostedSignup) -> Response:
    """Refuse a form that was posted from a site that is not registered."""
    return posting_sites.refusal(posted.request, posted.site, posted.chosen, posted.tag)


def invalid(posted: PostedSignup, errors: Mapping[str, Translatable | str]) -> Response:
    """Answer 422 with the form, the entered values and the errors; to a program with the errors alone."""
    thank_you_pages.allow(posted.request, posted.chosen or posted.offered.newsletters.values())
    if wants_json(posted.request):
        return JSONResponse({"errors": _told(errors, posted.tag)}, 422, _headers(posted.tag))
    form = posted.offered.form(posted.names.form)
    if form and len(form.newsletters) > 1:
        return _form_of_several_again(posted, errors)
    if posted.chosen:
        return _form_of_one_again(posted, errors)
    return _without_form(posted, errors)


def _form_of_several_again(posted: PostedSignup, errors: Mapping[str, Translatable | str]) -> Response:
    shown = signup_pages.form_of_several(posted.offered, posted.tag)
    tag = shown.wording.language if shown else posted.tag
    return signup_pages.several(posted.site, tag, entered=_entered(posted, errors, tag), status=422)


def _form_of_one_again(posted: PostedSignup, errors: Mapping[str, Translatable | str]) -> Response:
    newsletter = posted.chosen[0]
    shown = posted.offered.current(newsletter, posted.tag)
    tag = shown.wording.language if shown else posted.tag
    with posted.site.database.reading() as session:
        entered = _entered(posted, errors, tag)
        return signup_pages.one(posted.site, session, newsletter, tag, entered=entered, status=422)


def _without_form(posted: PostedSignup, errors: Mapping[str, Translatable | str]) -> Response:
    """Tell the errors alone: the request names no newsletter whose form we could show."""
    tag = posted.tag
    return posted.site.page(
        "refused",
        tag=tag,
        status=422,
        title=language(tag).text(translatable("The form is incomplete")),
        explanation=" ".join(_told(errors, tag).values()),
        remedy=language(tag).text(translatable("Please open the newsletter's page and sign up there.")),
    )


def _entered(posted: PostedSignup, errors: Mapping[str, Translatable | str], tag: str) -> Entered:
    """Return what the form shows again, also the name of the sign-up that it corrects, so that it still does."""
    return Entered(
        shown_again(posted.form, "email"),
        shown_again(posted.form, "name"),
        posted.names.slugs,
        errors=_told(errors, tag),
        replaces=first_value(posted.form, "replaces")[:MAX_REPLACES_CHARACTERS],
    )


def _told(errors: Mapping[str, Translatable | str], tag: str) -> dict[str, str]:
    return {field: language(tag).text(error) for field, error in errors.items()}


def _headers(tag: str) -> dict[str, str]:
    return {"Content-Language": language(tag).tag}
