"""Newsletters: what a visitor subscribes to."""

import re
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses, audit_log, zones
from newsletter.errors import Malformed, NotFound
from newsletter.store.database import Base

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
BRAND = re.compile(r"#[0-9a-f]{6}")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")  # BCP 47, its usual forms
LIST_ID = 255  # characters at most, RFC 2919 section 3


class Newsletter(Base):
    """A newsletter and who answers for it (GDPR Art. 13(1)(a); RFC 2919 List-Id)."""

    __tablename__ = "newsletters"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    publisher: Mapped[str]
    sender: Mapped[str]  # the address in From; letters carry the publisher's name with it
    reply_to: Mapped[str]
    postal_address: Mapped[str]
    language: Mapped[str] = mapped_column(String(35))  # BCP 47
    zone: Mapped[str] = mapped_column(String(64))  # IANA
    list_id: Mapped[str] = mapped_column(String(255), unique=True)
    brand: Mapped[str] = mapped_column(String(7))
    return_path_domain: Mapped[str | None] = mapped_column(String(255), default=None)  # A-labels; None: to the sender
    created_at: Mapped[datetime]


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
) -> Newsletter:
    """Begin a newsletter. Its List-Id is `slug.domain of the sender`, and never changes afterwards."""
    _check(slug=slug, language=language, zone=zone, brand=brand.lower())
    _check_lines(name=name, publisher=publisher, postal_address=postal_address)
    if by_slug(session, slug):
        raise Malformed("slug", f"There is a newsletter “{slug}” already.")
    sender = _mailbox(sender, field="sender")
    list_id = f"{slug}.{sender.rpartition('@')[2]}"
    if len(list_id) > LIST_ID:
        raise Malformed("slug", "With the sender's domain it makes a List-Id that is too long; take a shorter one.")
    newsletter = Newsletter(
        slug=slug,
        name=name.strip(),
        description=description.strip(),
        publisher=publisher.strip(),
        sender=sender,
        reply_to=_mailbox(reply_to, field="reply_to") if reply_to else sender,
        postal_address=postal_address.strip(),
        language=language,
        zone=zone,
        list_id=list_id,
        brand=brand.lower(),
        return_path_domain=_domain(return_path_domain) if return_path_domain else None,
        created_at=now,
    )
    session.add(newsletter)
    session.flush()
    audit_log.record(session, actor=actor, verb="newsletter added", subject=f"newsletter:{slug}", now=now)
    return newsletter


def change(
    session: Session, newsletter: Newsletter, *, return_path_domain: str | None, actor: str, now: datetime
) -> None:
    """Let bounces come to addresses of this domain from now on; None: to the sender's address, as all other mail."""
    newsletter.return_path_domain = _domain(return_path_domain) if return_path_domain else None
    fields = {"return_path_domain": newsletter.return_path_domain}
    audit_log.record(
        session, actor=actor, verb="newsletter changed", subject=f"newsletter:{newsletter.slug}", now=now, **fields
    )


def _check(*, slug: str, language: str, zone: str, brand: str) -> None:
    if not SLUG.fullmatch(slug):
        raise Malformed("slug", f"“{slug}” cannot stand in a web address: use a to z, 0 to 9 and -, up to 40 of them.")
    if not LANGUAGE.fullmatch(language):
        raise Malformed("language", f"“{language}” is not a language; name one like en, de or pt-BR.")
    zones.check(zone)
    if not BRAND.fullmatch(brand):
        raise Malformed("brand", f"“{brand}” is not a colour like #0f5c6e.")


def _check_lines(**lines: str) -> None:
    for field, value in lines.items():
        if not value.strip() or not value.isprintable():
            raise Malformed(field, "Enter it in one line of plain text; letters have to show it.")


def _mailbox(value: str, *, field: str) -> str:
    """An address that every mail server can answer to: what stands in From cannot wait for SMTPUTF8 (RFC 6531)."""
    written = addresses.envelope(addresses.parse(value, field=field).written)
    if not written.isascii():
        raise Malformed(field, f"Many mail servers take no “{written}”: before the @ use a to z, digits and . - _ +.")
    return written


def _domain(value: str) -> str:
    """A domain as A-labels, with room for what stands before the @ of a return path (RFC 5321 section 4.5.3.1)."""
    try:
        return addresses.parse(f"{'b' * addresses.LOCAL_PART}@{value.strip()}").key.rpartition("@")[2]
    except Malformed:
        shown = value if value.isprintable() else value.encode("unicode_escape").decode()
        raise Malformed(
            "return_path_domain", f"“{shown[:80]}” is not a domain like bounces.example.org of at most 189 characters."
        ) from None


def by_slug(session: Session, slug: str) -> Newsletter | None:
    """The newsletter of that slug."""
    if not SLUG.fullmatch(slug):
        return None  # whatever stands in a web address: PostgreSQL would not take a NUL even in a question
    return session.scalar(select(Newsletter).where(Newsletter.slug == slug))


def named(session: Session, slug: str) -> Newsletter:
    """The newsletter of that slug. Raises NotFound in words for an operator or a visitor."""
    if newsletter := by_slug(session, slug):
        return newsletter
    raise NotFound(f"There is no newsletter “{slug}” here.")


def every(session: Session) -> list[Newsletter]:
    """All newsletters, in the order in which they began."""
    return list(session.scalars(select(Newsletter).order_by(Newsletter.id)))
