"""Publish a wording with its exhibits: the sign-up form and the confirm page, rendered as visitors see them.

A text is published in a language by an explicit act. What a change or an upgrade publishes anew stays in its language.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletter_fields, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.consent.wordings import (
    box_texts,
    former_words,
    forms,
    proposed_words,
    rendered_forms,
    shown_words,
    wordings,
)
from newsletter.consent.wordings.forms import FormKind
from newsletter.consent.wordings.newsletter_changes import NewsletterChange
from newsletter.consent.wordings.proposed_words import Information
from newsletter.consent.wordings.shown_words import SHARED, have_one_publisher, is_shown, newsletter_ids
from newsletter.consent.wordings.wordings import Shown, Wording
from newsletter.errors import Malformed
from newsletter.languages import tags
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

NAMED_BY_WORDINGS = ("name", "publisher", "postal_address", "reply_to", "sender")


def publish(
    session: Session,
    templates: Templates,
    newsletter: Newsletter,
    *,
    text: str,
    actor: str,
    now: datetime,
    language: str | None = None,
    information: Information | None = None,
) -> Wording:
    """Publish a consent text together with the form and the confirm page that show it; return its current version.

    The language is by default the newsletter's. Without information of the publisher's own, given now or before, the
    proposed one is published.
    """
    language = newsletter.spelling(language) if language else newsletter.language
    last = wordings.current(session, newsletter.id, language)
    own = information or (last.information if last and shown_words.is_own(last.information) else None)
    shown = Shown(language, text, own or proposed_words.information([newsletter], language))
    return _publish(session, templates, [newsletter], shown, actor=actor, now=now)


def publish_proposed(
    session: Session,
    templates: Templates,
    newsletter: Newsletter,
    *,
    actor: str,
    now: datetime,
    language: str | None = None,
) -> Wording | None:
    """Publish the proposed words as `publish` does. Without a proposal in the language, return None."""
    text = proposed_words.consent_text([newsletter], language or newsletter.language)
    if text is None:
        return None
    return publish(session, templates, newsletter, text=text, language=language, actor=actor, now=now)


def publish_several(
    session: Session,
    templates: Templates,
    offered: Sequence[Newsletter],
    *,
    language: str,
    actor: str,
    now: datetime,
    text: str | None = None,
    information: Information | None = None,
) -> Wording:
    """Publish the words of a form on which visitors tick several newsletters; by default the proposed ones.

    Raises Malformed if the newsletters are not of one publisher, whom the form names once, or if there is no proposal.
    """
    if len({each.id for each in offered}) < 2:
        raise Malformed("newsletters", "Name at least two newsletters.")
    shown_words.check_one_publisher(offered)
    text = text or proposed_words.consent_text(offered, offered[0].spelling(language))
    if text is None:
        raise Malformed("wording", f"There are no proposed words in “{language}”. Give your own: --wording TEXT")
    shown = Shown(language, text, information or proposed_words.information(offered, language))
    if not shown_words.names(offered[0], shown.text, shown.information):
        raise Malformed("information", f"Name the publisher, “{offered[0].publisher}”, in words or information.")
    return _publish(session, templates, offered, shown, actor=actor, now=now)


def _publish(
    session: Session,
    templates: Templates,
    offered: Sequence[Newsletter],
    shown: Shown,
    *,
    actor: str,
    now: datetime,
    again: bool = False,
) -> Wording:
    shown = shown._replace(text=wordings.on_one_line(shown.text))
    ids = [each.id for each in offered]
    wording = wordings.publish(
        session,
        offered[0],
        shown,
        form=rendered_forms.exhibit(templates, shown, offered).encode(),
        confirm=rendered_forms.confirm_words(templates, language=shown.language, text=shown.text).encode(),
        newsletters=ids if len(ids) > 1 else None,
        again=again,
        actor=actor,
        now=now,
    )
    forms.keep(session, wording, FormKind.HOSTED, ids, wording.form_exhibit, now=now)
    box_texts.keep_form(session, templates, wording, offered, now=now)
    return wording


def change_newsletter(
    session: Session,
    templates: Templates,
    newsletter: Newsletter,
    *,
    actor: str,
    now: datetime,
    **changes: Unpack[newsletter_fields.NewsletterFields],
) -> NewsletterChange:
    """Change a newsletter as `newsletters.change` does, and publish its wordings as they then have to read.

    What is proposed today, text or information, names publisher, address and newsletter, so a new version follows the
    change, in each language. Other words, the publisher's own or those of an earlier catalogue, stay as they are; the
    answer says which former values they still name. Both are shown by forms that have changed, too, and proofs of
    earlier consents keep what was shown then. A new language of the newsletter publishes nothing: nobody has written
    words in it yet.
    """
    every = {each.id: each for each in newsletters.every(session)}
    shown = [each for each in shown_words.newest(session) if newsletter.id in newsletter_ids(each)]
    for number in sorted({each.newsletter_id for each in shown} | {newsletter.id}):
        newsletters.lock(session, number)  # in order, or two changes may wait for each other
    offered = {each.id: [every[number] for number in newsletter_ids(each)] for each in shown}
    proposed = {each.id for each in shown if _is_proposed(each.text, offered[each.id], each.language)}
    follow = {each.id: _followed(each.information, offered[each.id]) for each in shown}
    before = {each.id for each in shown if is_shown(each, offered[each.id])}
    former = newsletters.change(session, newsletter, actor=actor, now=now, **changes)
    published: list[Wording] = []
    together = [
        each
        for each in shown
        if is_shown(each, offered[each.id]) or (each.id in before and have_one_publisher(offered[each.id]))
    ]
    for last in together if former else ():
        among = offered[last.id]
        text = (last.id in proposed and proposed_words.consent_text(among, last.language)) or last.text
        told = (propose := follow[last.id]) and propose(among)
        new = _publish_again(session, templates, among, last, text=text, told=told, actor=actor, now=now)
        if new.id != last.id:
            published.append(new)
    apart = [each for each in shown if each.id in before and each not in together]
    return NewsletterChange(former, published, _still_naming(session, newsletter, every, former), apart)


def change_of(session: Session, newsletter: Newsletter, entry: AuditEntry) -> NewsletterChange:
    """Return what a change did that the audit log tells, with the former values that words still name today."""
    former = {field: entry.fields[f"{field}_before"] for field in entry.fields if f"{field}_before" in entry.fields}
    every = {each.id: each for each in newsletters.every(session)}
    same_time = AuditEntry.at == entry.at, AuditEntry.id > entry.id, AuditEntry.verb == wordings.PUBLISHED
    entries = session.scalars(select(AuditEntry.subject).where(*same_time).order_by(AuditEntry.id))
    ids = [int(subject.rpartition(":")[2]) for subject in entries]
    found = session.scalars(select(Wording).where(Wording.id.in_(ids)).order_by(Wording.id))
    published = [each for each in found if newsletter.id in newsletter_ids(each)]
    apart = [
        each
        for each in shown_words.newest(session)
        if newsletter.id in newsletter_ids(each)
        and any(field in former for field in SHARED)
        and not have_one_publisher([every[number] for number in newsletter_ids(each)])
    ]
    return NewsletterChange(former, published, _still_naming(session, newsletter, every, former), apart)


def _still_naming(
    session: Session, newsletter: Newsletter, every: Mapping[int, Newsletter], former: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the changed fields whose former value is named by words that forms show, by the language of the words.

    What is proposed today names the values of today, although one of them may contain a former one.
    """
    named: dict[str, list[str]] = {}
    for each in shown_words.newest(session) if former else ():
        offered = [every[number] for number in newsletter_ids(each)]
        if newsletter not in offered or not have_one_publisher(offered):
            continue
        kept = [] if _is_proposed(each.text, offered, each.language) else [each.text]
        kept += [] if _followed(each.information, offered) else shown_words.texts(each.information)
        if found := _named_in(kept, former):
            named[each.language] = list(dict.fromkeys([*named.get(each.language, ()), *found]))
    return named


def publish_current(session: Session, templates: Templates, *, actor: str, now: datetime) -> None:
    """Publish every current wording again, so that its exhibits match today's pages: an upgrade may change a page.

    Neither its text nor its information changes, whatever the catalogues propose by now: only an operator publishes
    legal words. A wording whose pages did not change keeps its version. The English default that a release before
    stored as text in another language is published as English; it stays English until the operator publishes other
    words.
    """
    every = {each.id: each for each in newsletters.every(session)}
    newest = sorted(wordings.newest(session), key=lambda wording: (wording.newsletter_id, wording.id))
    for last in newest:
        offered = [every[number] for number in newsletter_ids(last)]
        is_mistaken = last.is_english_by_mistake and wordings.current(session, last.newsletter_id, "en") is not None
        if is_shown(last, offered) and not is_mistaken:
            _publish_again(session, templates, offered, last, text=last.text, actor=actor, now=now)


def missing_languages(session: Session, newsletter: Newsletter) -> list[str]:
    """Return those of a newsletter's languages in which it takes no sign-ups, because no words are published."""
    published = wordings.current_by_language(session, newsletter.id)
    return [tag for tag in newsletter.languages if tag not in published]


def _publish_again(
    session: Session,
    templates: Templates,
    offered: Sequence[Newsletter],
    last: Wording,
    *,
    text: str,
    actor: str,
    now: datetime,
    told: Information | None = None,
) -> Wording:
    """Publish a wording anew, with other information if that is given. What was published in a language stays in it."""
    told = told or wordings.last_information(session, last) or former_words.information(offered)
    shown = Shown(last.shown_language, text, told)
    return _publish(session, templates, offered, shown, actor=actor, now=now, again=True)


def _followed(
    told: Information | None, offered: Sequence[Newsletter]
) -> Callable[[Sequence[Newsletter]], Information] | None:
    """Return what makes this information again when newsletters have changed; None if it has to stay as it is."""
    if told is None or told == former_words.information(offered):
        return former_words.information
    language = str(told["language"])
    if told == proposed_words.information(offered, language):
        return lambda changed: proposed_words.information(changed, language)
    return None


def _is_proposed(text: str, offered: Sequence[Newsletter], language: str) -> bool:
    plain = wordings.on_one_line(str(proposed_words.consent_to(offered)))  # as releases before wrote it
    is_english = tags.primary(language) == "en"
    return text == proposed_words.consent_text(offered, language) or (is_english and text == plain)


def _named_in(texts: Sequence[str], former: Mapping[str, str | None]) -> list[str]:
    return [field for field in NAMED_BY_WORDINGS if (old := former.get(field)) and any(old in text for text in texts)]
