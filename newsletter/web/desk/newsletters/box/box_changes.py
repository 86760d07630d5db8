"""Change what a box of newsletters needs and says: its sites, its title and text, its words, the form to paste."""

from fastapi.responses import Response

from newsletter import newsletters, registered_sites
from newsletter.consent.wordings import box_texts, pasted_forms, shown_words, wording_publication
from newsletter.errors import Malformed, NotFound
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters.box import box_page
from newsletter.web.desk.newsletters.box.box_page import EnteredBox, offered_in
from newsletter.web.desk.newsletters.text_languages import tag_in

router = DeskRouter()


@router.action("/newsletters/{slugs}/box/sites", Role.ADMIN)
def register_site(slugs: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Let pages of a site show the box: the site is registered for each of its newsletters."""
    origin = forms.text(form, "origin")
    try:
        with desk.site.database.writing() as session:
            for newsletter in offered_in(session, slugs):
                registered_sites.register(session, newsletter, origin, actor=desk.operator.actor, now=desk.site.now())
    except Malformed as error:
        return _refused(desk, slugs, "", EnteredBox(origin=origin), error)
    return desk.done(f"/newsletters/{slugs}/box", "registered")


@router.action("/newsletters/{slug}/box/sites/remove", Role.ADMIN)
def remove_site(slug: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Let pages of a site no longer show the box; also if somebody has removed the site meanwhile."""
    origin = forms.text(form, "site")
    with desk.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        if origin in [site.origin for site in registered_sites.of(session, newsletter.id)]:
            registered_sites.remove(session, newsletter, origin, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/newsletters/{slug}/box", "removed")


@router.action("/newsletters/{slugs}/box/texts/{language}", Role.ADMIN)
def change_text(slugs: str, language: str, desk: CurrentDesk, form: PostedForm) -> Response:
    """Change what stands above the form in a language."""
    entered = EnteredBox(title=forms.text(form, "title"), text=forms.text(form, "text"))
    try:
        with desk.site.database.writing() as session:
            offered = offered_in(session, slugs)
            tag = tag_in(offered[0], language)
            box_texts.change(
                session,
                desk.site.templates,
                offered,
                language=tag,
                title=entered.title,
                text=entered.text,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    except Malformed as error:
        return _refused(desk, slugs, language, entered, error)
    return desk.done(f"/newsletters/{slugs}/box", "said", language=tag)


@router.action("/newsletters/{slugs}/box/words/{language}", Role.ADMIN)
def publish_proposed(slugs: str, language: str, desk: CurrentDesk) -> Response:
    """Publish the form of several newsletters with the proposed words, unless one is published in the language."""
    with desk.site.database.writing() as session:
        offered = offered_in(session, slugs)
        tag = tag_in(offered[0], language)
        newsletters.lock(session, offered[0].id)
        if tag not in shown_words.by_language(session, offered):
            wording_publication.publish_several(
                session,
                desk.site.templates,
                offered,
                language=tag,
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
    return desk.done(f"/newsletters/{slugs}/box", "published", language=tag)


@router.action("/newsletters/{slugs}/box/forms/{language}", Role.ADMIN)
def generate_form(slugs: str, language: str, desk: CurrentDesk) -> Response:
    """Write the form to paste in a language, and keep it as evidence; one that is kept already stays as it is."""
    base_url = desk.site.settings.base_url
    with desk.site.database.writing() as session:
        offered = offered_in(session, slugs)
        tag = tag_in(offered[0], language)
        if tag not in shown_words.by_language(session, offered):
            raise NotFound("No words of consent are published in this language, so there is no form to paste.")
        pasted_forms.publish(
            session,
            desk.site.templates,
            offered,
            language=tag,
            base_url=base_url,
            actor=desk.operator.actor,
            now=desk.site.now(),
        )
    return desk.done(f"/newsletters/{slugs}/box", "generated", language=tag)


def _refused(desk: Desk, slugs: str, language: str, entered: EnteredBox, error: Malformed) -> Response:
    with desk.site.database.reading() as session:
        offered = offered_in(session, slugs)
        return box_page.shown(desk, session, offered, language, entered=entered, errors={error.field: str(error)})
