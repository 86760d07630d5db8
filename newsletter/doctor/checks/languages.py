"""Remarks about languages: those without words of consent, without information, or without a catalogue."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.wordings import proposed_words, wordings
from newsletter.consent.wordings.wordings import Wording
from newsletter.doctor.checks.findings import Remark
from newsletter.languages import tags
from newsletter.newsletters import Newsletter


def words(session: Session) -> Iterator[Remark]:
    """Tell in which languages a newsletter takes no sign-ups, or tells its visitors only a part in their language."""
    newest = wordings.newest(session)
    for newsletter in newsletters.every(session):
        own = {each.language: each for each in newest if each.newsletter_id == newsletter.id and not each.newsletters}
        for tag in newsletter.languages:
            yield from _about(newsletter, tag, own.get(tag))


def _about(newsletter: Newsletter, tag: str, wording: Wording | None) -> Iterator[Remark]:
    publish = _publishing(newsletter, tag)
    if wording is None:
        says = f"takes no sign-ups in “{tag}”: no words of consent are published in it. {publish}"
        yield Remark("words", newsletter.slug, says)
    elif wording.is_english_by_mistake:
        says = (
            f"has only the English consent text, which an earlier release stored as “{tag}”; its form is English "
            f"until you publish words in “{tag}”. {publish}"
        )
        yield Remark("words", newsletter.slug, says)
    elif tags.primary(wording.information["language"] if wording.information else "en") != tags.primary(tag):
        says = (
            f"tells in another language than “{tag}” what GDPR Art. 13 asks for. Write it in a file, as newsletter "
            f"newsletters proposal --information prints it, and publish it beside the words in use: "
            f"newsletter newsletters wording {newsletter.slug} --language {tag} --information FILE"
        )
        yield Remark("words", newsletter.slug, says)
    if not proposed_words.exists(tag):
        says = f"speaks “{tag}”, which no catalogue translates: the fixed words of its pages and letters are English"
        yield Remark("catalogue", newsletter.slug, says)


def _publishing(newsletter: Newsletter, tag: str) -> str:
    about = f"{newsletter.slug} --language {tag}"
    if proposed_words.exists(tag):
        read, publish = f"newsletter newsletters proposal {about}", f"newsletter newsletters wording {about}"
        return f"Read what is proposed: {read}, and publish it: {publish}"
    return f"Nothing is proposed in it; write your own: newsletter newsletters wording {about} TEXT --information FILE"
