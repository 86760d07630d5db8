"""Which words of consent forms show today: the newest, those of several newsletters while they name whose all are."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from newsletter.consent.wordings import wordings
from newsletter.consent.wordings.proposed_words import Information
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter

SHARED = ("publisher", "postal_address", "reply_to")  # by the newsletters of one form: it names them once
DIFFERENT = "They differ in publisher, postal address or reply address: one form names one."


def newest(session: Session) -> Iterator[Wording]:
    """Yield the newest words of each form and language, but no English default that is stored as another language."""
    return (each for each in wordings.newest(session) if not each.is_english_by_mistake)


def by_language(session: Session, offered: Sequence[Newsletter]) -> dict[str, Wording]:
    """Return the words on a form of exactly these newsletters, in whatever order it offers them, by their language."""
    if len(offered) == 1:
        return wordings.current_by_language(session, offered[0].id)
    ids = {each.id for each in offered}
    return {
        each.language: each
        for each in newest(session)
        if set(newsletter_ids(each)) == ids and is_shown(each, in_order(each, offered))
    }


def in_order(wording: Wording, offered: Iterable[Newsletter]) -> list[Newsletter]:
    """Return the newsletters in the order in which the form with these words offers them."""
    by_id = {each.id: each for each in offered}
    return [by_id[number] for number in newsletter_ids(wording)]


def newsletter_ids(wording: Wording) -> list[int]:
    """Return the ids of the newsletters that a wording is about."""
    return wording.newsletters or [wording.newsletter_id]


def is_shown(wording: Wording, offered: Sequence[Newsletter]) -> bool:
    """Return whether forms may show this wording: one of several newsletters has to name whom they are all from."""
    return len(offered) == 1 or (have_one_publisher(offered) and names(offered[0], wording.text, wording.information))


def have_one_publisher(offered: Iterable[Newsletter]) -> bool:
    """Return whether one form can name whom all of these newsletters are from."""
    return len({tuple(getattr(each, field) for field in SHARED) for each in offered}) == 1


def check_one_publisher(offered: Iterable[Newsletter]) -> None:
    """Raise Malformed, with a message for operators, unless one form can offer all of these newsletters."""
    if not have_one_publisher(offered):
        raise Malformed("newsletters", DIFFERENT)


def names(about: Newsletter, text: str, told: Information | None) -> bool:
    """Return whether words name a newsletter's publisher as it is now, and proposed ones also where to write to."""
    fields = ("publisher",) if is_own(told) else SHARED
    words = (text, *texts(told))
    return all(any(wordings.on_one_line(getattr(about, field)) in each for each in words) for field in fields)


def is_own(information: Information | None) -> bool:
    """Return whether the information is the publisher's own, and not the proposed one."""
    return bool(information and information.get("own"))


def texts(told: Information | None) -> list[str]:
    """Return the texts of the information."""
    return [text for _, text in told["entries"]] if told else []


def publishing_command(offered: Sequence[Newsletter], language: str | None = None) -> str:
    """Return the command that publishes words about these newsletters."""
    command = "newsletter newsletters wording" if len(offered) == 1 else "newsletter forms publish"
    return " ".join([command, *(each.slug for each in offered), *(["--language", language] if language else [])])
