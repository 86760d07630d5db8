"""The pages that the law asks for: what they say, and texts of the publisher's own in place of the generated ones."""

from typing import NamedTuple

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.errors import Malformed, NotFound
from newsletter.languages.languages import english_name, language
from newsletter.legal_pages import page_texts
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk import previews
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters import newsletter_previews, text_languages
from newsletter.web.desk.newsletters.text_languages import TextLanguage, tag_in
from newsletter.web.public import legal_pages
from newsletter.web.site import ReadingSession

NOTICES = {
    "changed": "The page shows your text now.",
    "generated": "Your text is removed. The page is shown without it.",
    "same": "The text reads like the generated one, so it was not saved: the page goes on following the settings.",
}
NAMES = {
    LegalPage.PRIVACY: "Privacy notice",
    LegalPage.IMPRINT: "Imprint",
    LegalPage.ACCESSIBILITY: "Accessibility statement",
}

router = DeskRouter()


class PageStanding(NamedTuple):
    """What visitors see on a page in each language; one with a text has one of the publisher's own."""

    page: LegalPage
    name: str
    languages: list[TextLanguage]
    url: str

    @property
    def missing(self) -> list[str]:
        """The languages without a text, although the page is shown in texts of the publisher's own."""
        missing = [each.name for each in self.languages if not each.has_text]
        return missing if len(missing) < len(self.languages) else []


@router.page("/newsletters/{slug}/pages", Role.VIEWER)
def legal_pages_page(desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show which pages are generated, and which are the publisher's own."""
    newsletter = desk.newsletter
    return desk.page(
        "newsletters/legal_pages",
        notices=NOTICES,
        newsletter=newsletter,
        standings=[_standing(desk, session, newsletter, page) for page in LegalPage],
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )


@router.page("/newsletters/{slug}/pages/{page}/{language}", Role.VIEWER)
def legal_text_page(page: str, language: str, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the text of a page in a language, to edit."""
    newsletter = desk.newsletter
    return _page(desk, session, newsletter, _named(page), tag_in(newsletter, language))


@router.page("/newsletters/{slug}/preview/pages/{page}/{language}", Role.VIEWER)
def legal_page_preview(page: str, language: str, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show a page as visitors see it."""
    newsletter, named = desk.newsletter, _named(page)
    tag = tag_in(newsletter, language)
    return _preview(desk, newsletter, named, tag, page_texts.own(session, newsletter.id, named).get(tag, ""))


@router.action("/newsletters/{slug}/pages/{page}/{language}/preview", Role.ADMIN)
def entered_preview(slug: str, page: str, language: str, desk: CurrentDesk, form: PostedForm) -> HTMLResponse:
    """Show a page with the text as it is entered; nothing is saved."""
    with desk.site.database.reading() as session:
        newsletter = newsletters.named(session, slug)
    try:
        text = page_texts.as_stored(forms.text(form, "text"))
    except Malformed as error:
        return newsletter_previews.refused(desk, [str(error)])
    tag, named = tag_in(newsletter, language), _named(page)
    return _preview(desk, newsletter, named, tag, "" if text == _generated(desk, newsletter, named, tag) else text)


@router.action("/newsletters/{slug}/pages/{page}/{language}", Role.ADMIN)
def change(slug: str, page: str, language: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Show a text of the publisher's own on a page, unless it reads like the generated one."""
    text, named = forms.text(form, "text"), _named(page)
    with desk.site.database.reading() as session:
        newsletter = newsletters.named(session, slug)
        tag, own = tag_in(newsletter, language), page_texts.own(session, newsletter.id, named)
    path = f"/newsletters/{slug}/pages/{named}/{tag}"
    if tag not in own and _lines(text) == _lines(_generated(desk, newsletter, named, tag)):
        return desk.done(path, "same")
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            page_texts.change(session, newsletter, named, tag, text, actor=desk.operator.actor, now=desk.site.now())
    except Malformed as error:
        with desk.site.database.reading() as session:
            newsletter = newsletters.named(session, slug)
            return _page(desk, session, newsletter, named, tag, entered=text, errors={error.field: str(error)})
    return desk.done(path, "changed")


@router.action("/newsletters/{slug}/pages/{page}/{language}/generated", Role.ADMIN)
def show_generated(slug: str, page: str, language: str, desk: CurrentDesk) -> Response:
    """Remove the publisher's own text; also if somebody has removed it meanwhile."""
    named = _named(page)
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        tag = tag_in(newsletter, language)
        if tag in page_texts.own(session, newsletter.id, named):
            page_texts.reset(session, newsletter, named, tag, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/newsletters/{slug}/pages/{named}/{tag}", "generated")


def _named(page: str) -> LegalPage:
    if page not in list(LegalPage):
        raise NotFound
    return LegalPage(page)


def _generated(desk: Desk, newsletter: Newsletter, page: LegalPage, tag: str) -> str:
    return legal_pages.generated_text(desk.site, newsletter, page, language(tag))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def _preview(desk: Desk, newsletter: Newsletter, page: LegalPage, tag: str, own: str) -> HTMLResponse:
    shown = legal_pages.preview(desk.site, newsletter, page, tag, own)
    return previews.shown(desk.site, bytes(shown.body).decode())


def _standing(desk: Desk, session: Session, newsletter: Newsletter, page: LegalPage) -> PageStanding:
    own = page_texts.own(session, newsletter.id, page)
    url = f"{desk.site.settings.base_url}/n/{newsletter.slug}/{page}"
    return PageStanding(page, NAMES[page], text_languages.listed(newsletter, own), url)


def _page(
    desk: Desk,
    session: Session,
    newsletter: Newsletter,
    page: LegalPage,
    tag: str,
    *,
    entered: str | None = None,
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    own = page_texts.own(session, newsletter.id, page).get(tag)
    text = own or _generated(desk, newsletter, page, tag)
    return desk.page(
        "newsletters/legal_text",
        notices=NOTICES,
        newsletter=newsletter,
        tag=tag,
        language_name=english_name(tag),
        standing=_standing(desk, session, newsletter, page),
        is_own=own is not None,
        text=text if entered is None else entered,
        text_language=tag if own or entered is not None else language(tag).tag,
        errors=errors,
        may_change=desk.operator.may(Role.ADMIN, newsletter.id),
    )
