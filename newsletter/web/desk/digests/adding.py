"""Add a digest."""

from dataclasses import replace

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.content.digests.digests import Digest, WhenLate
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.digests.digest_fields import AUTOMATIC, DigestFields
from newsletter.web.desk.feeds.looks import editable_newsletters
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.frame.refusals import RoleMissing
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/digests/new", Role.EDITOR, AccessScope.SOMEWHERE)
def new(desk: CurrentDesk, session: ReadingSession, newsletter: str = "") -> HTMLResponse:
    """Show the form."""
    return _form(desk, session, DigestFields.default(), newsletter)


@router.action("/digests/new", Role.EDITOR, AccessScope.SOMEWHERE)
def add(desk: CurrentDesk, form: PostedForm) -> Response:
    """Add the digest, or show the next runs of the form without storing anything."""
    fields, slug = DigestFields.read(form), forms.text(form, "newsletter")
    with desk.site.database.reading() as session:
        reader = _reader(session, desk, slug)
        may_be_automatic = reader is not None and desk.operator.may(Role.PUBLISHER, reader.id)
        zone = reader.zone if reader else desk.operator.zone
        errors = fields.errors(zone, may_be_automatic=may_be_automatic)
        if reader is None:
            errors = {"newsletter": "Choose a newsletter.", **errors}
        if "show" in form:
            return _form(desk, session, fields, slug)
        if errors:
            return _form(desk, session, fields, slug, errors)
    try:
        digest = _added(desk, slug, fields)
    except Malformed as error:
        with desk.site.database.reading() as session:
            return _form(desk, session, fields, slug, {error.field: str(error)})
    return desk.done(f"/digests/{digest.id}", "added")


def _added(desk: Desk, slug: str, fields: DigestFields) -> Digest:
    with desk.site.database.writing() as session:
        reader = newsletters.named(session, slug)
        cron, zone = fields.schedule.checked(reader.zone)
        rule = fields.rule()
        return digests.add(
            session,
            reader,
            name=fields.name,
            cron=cron,
            zone=zone,
            articles=rule["articles"],
            automatic=rule["send"] == AUTOMATIC,
            approve_within=rule["approve_within"],
            late=WhenLate(rule["late"]),
            archive=rule["archive"],
            actor=desk.operator.actor,
            now=desk.site.now(),
        )


def _reader(session: Session, desk: Desk, slug: str) -> Newsletter | None:
    """Return the newsletter that the form names, None if it names none that the operator sees."""
    found = newsletters.by_slug(session, slug)
    if found is None or not desk.operator.may(Role.VIEWER, found.id):
        return None
    if not desk.operator.may(Role.EDITOR, found.id):
        raise RoleMissing
    return found


def _form(
    desk: Desk, session: Session, fields: DigestFields, slug: str, errors: dict[str, str] | None = None
) -> HTMLResponse:
    pairs = editable_newsletters(session, desk)
    if not slug and len(pairs) == 1:
        slug = pairs[0][0]
    reader = _reader(session, desk, slug) if slug else None
    zone = reader.zone if reader else desk.operator.zone
    if reader and not fields.schedule.zone:
        fields = replace(fields, schedule=replace(fields.schedule, zone=zone))
    return desk.page(
        "digests/new",
        pairs=pairs,
        slug=slug,
        fields=fields,
        name_characters=digests.MAX_NAME,
        errors=errors,
        may_be_automatic=reader is None or desk.operator.may(Role.PUBLISHER, reader.id),
        **fields.schedule.context(zone, operator_zone=desk.operator.zone, now=desk.site.now()),
    )
