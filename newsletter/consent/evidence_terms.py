"""The names of what evidence stores beside an entry of the ledger, and the values that are words of our own.

Whoever writes evidence takes both from here, so that the page of stored data has words for each in every language.
They are stored and hashed: add to them, but never change one.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, cast


class EvidenceField(StrEnum):
    """The name of something that evidence, or the trace beside it, stores."""

    ADDRESS = "address"
    NAME = "name"
    LANGUAGE = "language"  # as entered
    TIMEZONE = "timezone"  # as entered
    SITE = "site"  # from which a form was posted
    PAGE = "page"  # with the form
    PAGE_STATED_BY = "page_stated_by"
    METHOD = "method"
    FORM = "form"  # the SHA-256 of its exhibit
    FORM_KIND = "form_kind"
    FORM_LANGUAGE = "form_language"
    FORM_OFFERED = "form_offered"  # slugs
    LETTER = "letter"  # the SHA-256 of its text
    REQUESTED_AT = "requested_at"  # as the letter says it, as is the next
    EXPIRES_AT = "expires_at"
    FIRST_RECEIVED_AT = "first_received_at"  # when the sign-up came that an expired link renews
    CONFIRM_PAGE = "confirm_page"  # the SHA-256 of its exhibit
    NEWSLETTERS = "newsletters"  # slugs
    HOW = "how"  # a consent was withdrawn
    FORMER_ADDRESS = "former_address"
    CHANGE_ASKED_AT = "change_asked_at"
    IP = "ip"
    USER_AGENT = "user_agent"


Stored = Mapping[EvidenceField, str]


class EvidenceTerm(StrEnum):
    """A value in words of our own. One that ends with a blank goes on with what somebody stated."""

    # The method of a request or a confirmation
    FORM_ON_THE_WEB = "form on the web"
    FORM_SENT_AGAIN = "form on the web, sent again from the page after it"
    FORM_CORRECTED = "form on the web, sent again from the page after it with a corrected address"
    BUTTON_OF_EXPIRED_LINK = "button on the page of an expired link"
    BUTTON_AFTER_LEAVING = "button on the page after leaving"
    BUTTON_BEHIND_LINK = "button on the page that the letter's link opens"  # also how somebody left
    BUTTON_AT_NEW_ADDRESS = "button on the page that the link to the new address opens"

    # The kind of the form
    HOSTED_FORM = "hosted: on our own page"
    FORM_IN_BOX = "box on the publisher's page"
    PASTED_FORM = "pasted: as generated; page not seen"
    RETURN_FORM = "return: on our own page, after leaving"
    RENEWAL_FORM = "renewal: on our own page, behind an expired link"

    # The site and the page with the form, and who stated the page
    OWN_SITE = "our own"
    OWN_SITE_REACHED_AS = "our own, reached as "
    SITE_NOT_STATED = "not stated"
    PREFERENCES_BY_FRESH_LINK = "preferences page, by a freshly mailed link"
    STATED_BY_BROWSER = "the browser"

    # How somebody left
    ONE_CLICK = "one-click of a mail program"
    PREFERENCES = "preferences page"
    NEVER = "never"
    NEVER_BY_LETTER = "link in the confirmation letter"
    NEVER_AT_OTHER_SPELLING = "link in the confirmation letter to another spelling of the inbox"
    NEVER_SAID_BEFORE = "said before at another spelling of the inbox"
    NEVER_BY_ADDRESS_LETTER = "link in the letter about a change of address"
    MOVED = "moved to another address of the reader, who confirmed it there"
    TOLD_TO_OPERATOR = "the person's word to an operator: "

    def followed_by(self, stated: str) -> str:
        """Return the value that goes on with what somebody stated."""
        return f"{self}{stated}"


# The methods of sign-ups without a field for the address: it is the one that got the link.
BY_BUTTON = frozenset((EvidenceTerm.BUTTON_OF_EXPIRED_LINK, EvidenceTerm.BUTTON_AFTER_LEAVING))

# The fields whose values are terms, or a site's or page's address. What people enter may read like a term and is none.
WORDED_FIELDS = frozenset(
    (
        *(EvidenceField.SITE, EvidenceField.PAGE, EvidenceField.PAGE_STATED_BY),
        *(EvidenceField.METHOD, EvidenceField.FORM_KIND, EvidenceField.HOW),
    )
)


class WordedValue(NamedTuple):
    """A value that is a term."""

    term: EvidenceTerm
    stated: str  # what somebody stated after it; "" if the term stands alone


def worded(field: str, value: str) -> WordedValue | None:
    """Return the term of a stored value; None if it is none, or one that this release does not know."""
    if field not in WORDED_FIELDS:
        return None
    for term in EvidenceTerm:
        if value == term:
            return WordedValue(term, "")
        if term.endswith(" ") and value.startswith(term):
            return WordedValue(term, value.removeprefix(term))
    return None


def registered_site(evidence: Mapping[str, Any]) -> str | None:
    """Return the origin of the registered site from which a form was posted; None if it was posted from none.

    A value in words is none, also if only another release knows the words.
    """
    site = evidence.get(EvidenceField.SITE, "")
    return site if site.startswith(("https://", "http://")) else None


def stored(evidence: Mapping[str, Any]) -> Stored:
    """Return what the row of a sign-up stores, as evidence; also under a name that only another release knows."""
    return cast("Stored", evidence)
