"""What a change of a newsletter has done, and what follows from it for its readers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsletter.consent.wordings.wordings import Wording
from newsletter.newsletters import Newsletter


class NewsletterChange(NamedTuple):
    """What a change of a newsletter has done."""

    former: dict[str, Any]  # values of the fields that have changed
    published: list[Wording]  # the versions that followed; none if the forms still read the same
    still_named: dict[str, list[str]]  # fields whose former value is named by words that stay, by their language
    apart: list[Wording]  # of forms of several newsletters that are no longer of one publisher: they are shown no more


def withdrawn_languages(newsletter: Newsletter, former: Mapping[str, Any]) -> list[str]:
    """Return the languages that a newsletter offered before a change, and offers no more: its readers keep them."""
    before: list[Any] = [former.get("language", newsletter.language)]
    before += former.get("other_languages", newsletter.other_languages) or []
    return [tag for tag in dict.fromkeys(before) if tag not in newsletter.languages]


def keeps_former_reply_address(newsletter: Newsletter, former: Mapping[str, Any]) -> bool:
    """Return whether the sender changed, and replies still go to the former one."""
    return "sender" in former and "reply_to" not in former and newsletter.reply_to == former["sender"]
