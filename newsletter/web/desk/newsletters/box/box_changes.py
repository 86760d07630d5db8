"""Change what a newsletter's box needs and says: its sites, its title and text, the form to paste."""

from fastapi.responses import Response

from newsletter import newsletters, registered_sites
from newsletter.consent.wordings import box_texts, pasted_forms, wordings
from newsletter.errors import Malformed, NotFound
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters.box import box_page
from newsletter.web.desk.newsletters.box.box_page import EnteredBox
from newsletter.web.desk.newsletters.text_languages import tag_in

router = DeskRouter()


@router.action("/newsletters/{slug}/box/sites", Role.ADMIN)
def register_site(slug: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Let pages of a site show the box."""
    origin = forms.text(form, "origin")
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            registered_sites.register(session, newsletter, origin, actor=desk.operator.actor, now=desk.site.now())
    except Malformed as error:
        return _refused(desk, slug, "", EnteredBox(origin=origin), error)
    return desk.done(f"/newsletters/{slug}/box", "registered")


@router.action("/newsletters/{slug}/box/sites/remove", Role.ADMIN)
def remove_site(slug: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Let pages of a site no longer show the box; also if somebody has removed the site meanwhile."""
    origin = forms.text(form, "site")
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        if origin in [site.origin for site in registered_sites.of(session, newsletter.id)]:
            registered_sites.remove(session, newsletter, origin, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/newsletters/{slug}/box", "removed")


@router.action("/newsletters/{slug}/box/texts/{language}", Role.ADMIN)
def change_text(slug: str, language: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Change what stands above the form in a language."""
    entered = EnteredBox(title=forms.text(form, "title"), text=forms.text(form, "text"))
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            tag = tag_in(newsletter, language)
            box_texts.change(
                session,
                desk.site.templates,
                newsletter,
                language=tag,
                title=entered.title,
                text=entered.text,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    except Malformed as error:
        return _refused(desk, slug, language, entered, error)
    return desk.done(f"/newsletters/{slug}/box", "said", language=tag)


@router.action("/newsletters/{slug}/box/forms/{language}", Role.ADMIN)
def generate_form(slug: str, language: str, desk: CurrentDesk) -> Response:
    """Write the form to paste in a language, and keep it as evidence; one that is kept already stays as it is."""
    base_url = desk.site.settings.base_url
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        tag = tag_in(newsletter, language)
        if wordings.current(session, newsletter.id, tag) is None:
            raise NotFound("No words of consent are published in this language, so there is no form to paste.")
        pasted_forms.publish(
            session,
            desk.site.templates,
            newsletter,
            language=tag,
            base_url=base_url,
            actor=desk.operator.actor,
            now=desk.site.now(),
        )
    return desk.done(f"/newsletters/{slug}/box", "generated", language=tag)


def _refused(desk: Desk, slug: str, language: str, entered: EnteredBox, error: Malformed) -> Response:
    with desk.site.database.reading() as session:
        newsletter = newsletters.named(session, slug)
        return box_page.shown(desk, session, newsletter, language, entered=entered, errors={error.field: str(error)})
