"""Newsletters: the things that visitors subscribe to."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Unpack

from sqlalchemy import JSON, String, false, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log, newsletter_fields
from newsletter.errors import Malformed, NotFound
from newsletter.languages import tags
from newsletter.store.database import Base

MAX_LIST_ID_CHARACTERS = 255  # RFC 2919 section 3
MAX_SLUG_CHARACTERS = 40
SLUG = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{MAX_SLUG_CHARACTERS - 2}}}[a-z0-9])?")
RESERVED_SLUGS = ("new",)  # a page of the desk stands where that newsletter's would


class Newsletter(Base):
    """A newsletter and its publisher (GDPR Art. 13(1)(a); RFC 2919 List-Id)."""

    __tablename__ = "newsletters"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    slug: Mapped[str] = mapped_column(String(MAX_SLUG_CHARACTERS), unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    publisher: Mapped[str]
    sender: Mapped[str]  # the address in From; letters add the publisher's name
    reply_to: Mapped[str]
    postal_address: Mapped[str]
    language: Mapped[str] = mapped_column(String(tags.MAX_CHARACTERS))  # BCP 47
    zone: Mapped[str] = mapped_column(String(64))  # IANA
    list_id: Mapped[str] = mapped_column(String(MAX_LIST_ID_CHARACTERS), unique=True)
    brand: Mapped[str] = mapped_column(String(7))
    return_path_domain: Mapped[str | None] = mapped_column(
        String(255), default=None
    )  # A-labels; None: bounces go to the sender
    # Further languages in which visitors may sign up, where words are published, and in which letters reach them.
    other_languages: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    sender_name: Mapped[str | None] = mapped_column(default=None)  # in From; None: the publisher's
    logo_sha256: Mapped[str | None] = mapped_column(String(64), default=None)  # of a picture
    site_url: Mapped[str | None] = mapped_column(default=None)  # the publisher's own site, which every page links
    # Pages of the publisher's own that visitors are led to; None: ours.
    signup_thanks_url: Mapped[str | None] = mapped_column(default=None)
    confirmed_thanks_url: Mapped[str | None] = mapped_column(default=None)
    sends_welcome: Mapped[bool] = mapped_column(server_default=false(), default=False)  # a letter after confirming
    welcome_has_issue: Mapped[bool] = mapped_column(server_default=false(), default=False)  # the newest one in it
    created_at: Mapped[datetime]

    @property
    def languages(self) -> list[str]:
        """The languages of its letters, the main one first. Visitors may sign up in those with published words."""
        return list(dict.fromkeys([self.language, *(self.other_languages or ())]))

    def spelling(self, tag: str) -> str:
        """Return a language tag as it is stored, in the newsletter's own spelling if it has one. Raises Malformed."""
        checked = newsletter_fields.checked_language(tag)
        return next((own for own in self.languages if own.lower() == checked.lower()), checked)


def add(
    session: Session,
    *,
    slug: str,
    name: str,
    publisher: str,
    sender: str,
    postal_address: str,
    actor: str,
    now: datetime,
    description: str = "",
    reply_to: str | None = None,
    language: str = "en",
    zone: str = "UTC",
    brand: str = "#0f5c6e",
    return_path_domain: str | None = None,
    other_languages: Sequence[str] = (),
    sender_name: str | None = None,
    logo_sha256: str | None = None,
    site_url: str | None = None,
    signup_thanks_url: str | None = None,
    confirmed_thanks_url: str | None = None,
    sends_welcome: bool = False,
    welcome_has_issue: bool = False,
) -> Newsletter:
    """Create a newsletter. Its List-Id, `slug.domain`, never changes. Raises Malformed for invalid values."""
    _check_slug(session, slug)
    sender = newsletter_fields.checked("sender", sender)
    newsletter = Newsletter(
        slug=slug,
        name=newsletter_fields.checked("name", name),
        description=newsletter_fields.checked("description", description),
        publisher=newsletter_fields.checked("publisher", publisher),
        sender=sender,
        reply_to=newsletter_fields.checked("reply_to", reply_to) or sender,
        postal_address=newsletter_fields.checked("postal_address", postal_address),
        language=newsletter_fields.checked("language", language),
        zone=newsletter_fields.checked("zone", zone),
        list_id=_list_id(slug, sender),
        brand=newsletter_fields.checked("brand", brand),
        return_path_domain=newsletter_fields.checked("return_path_domain", return_path_domain),
        other_languages=newsletter_fields.checked("other_languages", other_languages),
        sender_name=newsletter_fields.checked("sender_name", sender_name),
        logo_sha256=newsletter_fields.checked("logo_sha256", logo_sha256),
        site_url=newsletter_fields.checked("site_url", site_url),
        signup_thanks_url=newsletter_fields.checked("signup_thanks_url", signup_thanks_url),
        confirmed_thanks_url=newsletter_fields.checked("confirmed_thanks_url", confirmed_thanks_url),
        sends_welcome=sends_welcome,
        welcome_has_issue=welcome_has_issue,
        created_at=now,
    )
    session.add(newsletter)
    session.flush()
    log_change(session, newsletter, "newsletter added", actor=actor, now=now)
    return newsletter


def change(
    session: Session,
    newsletter: Newsletter,
    *,
    actor: str,
    now: datetime,
    **changes: Unpack[newsletter_fields.NewsletterFields],
) -> dict[str, Any]:
    """Change what is given of a newsletter, checked as in `add`; return the former values of what has changed.

    Letters that are written already keep their text. Raises Malformed, naming the field. A consent wording may name a
    former value: to publish it anew, too, call `wording_publication.change_newsletter`.
    """
    lock(session, newsletter.id)
    session.refresh(newsletter)
    wanted: dict[str, Any] = {field: newsletter_fields.checked(field, value) for field, value in changes.items()}
    if "reply_to" in wanted:
        wanted["reply_to"] = wanted["reply_to"] or wanted.get("sender") or newsletter.sender
    former = {
        field: getattr(newsletter, field) for field, value in wanted.items() if getattr(newsletter, field) != value
    }
    for field in former:
        setattr(newsletter, field, wanted[field])
    if former:
        new = {field: wanted[field] for field in former}
        old = {f"{field}_before": value for field, value in former.items()}
        log_change(session, newsletter, "newsletter changed", actor=actor, now=now, **new, **old)
    return former


def slug_of(name: str) -> str:
    """Return the slug that a name suggests; "" if it has none of a slug's characters."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:MAX_SLUG_CHARACTERS].strip("-")


def common_publisher(every: Iterable[Newsletter]) -> str | None:
    """Return the publisher of all of them; None if they have several, or if there is none."""
    publishers = {each.publisher for each in every}
    return publishers.pop() if len(publishers) == 1 else None


class PublisherSite(NamedTuple):
    """A publisher's own site, as pages link it."""

    name: str  # the publisher's; the newsletter's, if its publisher has several sites
    url: str


def publisher_sites(every: Iterable[Any]) -> list[PublisherSite]:
    """Return the publishers' own sites that these newsletters name, each once, in their order."""
    of_publishers: dict[str, dict[str, str]] = {}
    for each in every:
        if each.site_url:
            of_publishers.setdefault(each.publisher, {}).setdefault(each.site_url, each.name)
    return [
        PublisherSite(publisher if len(sites) == 1 else name, url)
        for publisher, sites in of_publishers.items()
        for url, name in sites.items()
    ]


def as_facts(offered: Sequence[Newsletter]) -> dict[str, Any]:
    """Return these newsletters as an entry of the audit log names them."""
    slugs = [each.slug for each in offered]
    return {"newsletter": slugs[0]} if len(slugs) == 1 else {"newsletters": slugs}


def log_change(
    session: Session, newsletter: Newsletter, verb: str, /, *, actor: str, now: datetime, **facts: Any
) -> None:
    """Add a change of a newsletter, or of what belongs to it, to the audit log."""
    audit_log.record(
        session,
        actor=actor,
        verb=verb,
        subject=f"newsletter:{newsletter.slug}",
        newsletter_id=newsletter.id,
        now=now,
        **facts,
    )


def _check_slug(session: Session, slug: str) -> None:
    if not SLUG.fullmatch(slug):
        raise Malformed(
            "slug",
            f"“{slug}” is not a slug: use at most {MAX_SLUG_CHARACTERS} of the characters a to z, 0 to 9 and -.",
        )
    if slug in RESERVED_SLUGS:
        raise Malformed("slug", f"“{slug}” is the address of a page of the desk. Use another slug.")
    if by_slug(session, slug):
        raise Malformed("slug", f"A newsletter “{slug}” exists already.")


def _list_id(slug: str, sender: str) -> str:
    list_id = f"{slug}.{sender.rpartition('@')[2]}"
    if len(list_id) > MAX_LIST_ID_CHARACTERS:
        raise Malformed("slug", "The List-Id, made of slug and sender's domain, is too long; use a shorter slug.")
    return list_id


def by_slug(session: Session, slug: str) -> Newsletter | None:
    """Return the newsletter with that slug, or None."""
    if not SLUG.fullmatch(slug):
        return None  # a slug from a URL may contain a NUL, which PostgreSQL refuses even in a query
    return session.scalar(select(Newsletter).where(Newsletter.slug == slug))


def named(session: Session, slug: str) -> Newsletter:
    """Return the newsletter with that slug. Raises NotFound, with a message for operators."""
    if newsletter := by_slug(session, slug):
        return newsletter
    raise NotFound(f"There is no newsletter “{slug}” here.")


def all_named(session: Session, slugs: Iterable[str]) -> list[Newsletter]:
    """Return the newsletters with these slugs, each once, in their order. Raises NotFound as `named` does."""
    return [named(session, slug) for slug in dict.fromkeys(slugs)]


def every(session: Session) -> list[Newsletter]:
    """Return all newsletters, oldest first."""
    return list(session.scalars(select(Newsletter).order_by(Newsletter.id)))


def lock(session: Session, newsletter_id: int) -> None:
    """Lock the newsletter until the transaction ends, so that no other one changes its feeds, articles or issues.

    Feeds and digests are locked before it, issues and articles after it; otherwise two transactions may wait for each
    other. Rows that refer to the newsletter can be inserted meanwhile, by sign-ups for example.
    """
    session.execute(select(Newsletter.id).where(Newsletter.id == newsletter_id).with_for_update(key_share=True))
