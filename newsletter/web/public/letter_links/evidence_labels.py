"""The words for what is stored with an entry of somebody's history: names of fields, and values of our own."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from newsletter import templating
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm, worded
from newsletter.languages.languages import Language, own_name
from newsletter.languages.translatable import Translatable, translatable

EvidenceText = Translatable | str

FIELDS: Mapping[str, Translatable] = {
    EvidenceField.ADDRESS: translatable("E-mail address"),
    EvidenceField.NAME: translatable("Name"),
    EvidenceField.LANGUAGE: translatable("Language"),
    EvidenceField.TIMEZONE: translatable("Time zone"),
    EvidenceField.SITE: translatable("Site with the form"),
    EvidenceField.PAGE: translatable("Page with the form"),
    EvidenceField.PAGE_STATED_BY: translatable("Who named this page"),
    EvidenceField.METHOD: translatable("How it reached us"),
    EvidenceField.FORM: translatable("Form as shown, by its hash (SHA-256)"),
    EvidenceField.FORM_KIND: translatable("Place of the form"),
    EvidenceField.FORM_LANGUAGE: translatable("Language of the form"),
    EvidenceField.FORM_OFFERED: translatable("Newsletters in the form"),
    EvidenceField.LETTER: translatable("Letter as sent, by its hash (SHA-256)"),
    EvidenceField.REQUESTED_AT: translatable("Time of the request, as the letter says it"),
    EvidenceField.EXPIRES_AT: translatable("End of the link, as the letter says it"),
    EvidenceField.FIRST_RECEIVED_AT: translatable("Time of the first request"),
    EvidenceField.CONFIRM_PAGE: translatable("Confirmation page as shown, by its hash (SHA-256)"),
    EvidenceField.NEWSLETTERS: translatable("Newsletters"),
    EvidenceField.HOW: translatable("How we were told"),
    EvidenceField.FORMER_ADDRESS: translatable("Former e-mail address"),
    EvidenceField.CHANGE_ASKED_AT: translatable("Time at which the change was asked for"),
    EvidenceField.IP: translatable("IP address"),
    EvidenceField.USER_AGENT: translatable("Browser or mail program"),
}
WORDING = translatable("Words of consent")
VERSION = translatable("version %(version)s, %(language)s")

TERMS: Mapping[EvidenceTerm, Translatable] = {
    EvidenceTerm.FORM_ON_THE_WEB: translatable("by a form on the web"),
    EvidenceTerm.FORM_SENT_AGAIN: translatable("by a form on the web, sent again from the page after it"),
    EvidenceTerm.FORM_CORRECTED: translatable(
        "by a form on the web, sent again from the page after it with a corrected address"
    ),
    EvidenceTerm.BUTTON_OF_EXPIRED_LINK: translatable("by the button on the page of an expired link"),
    EvidenceTerm.BUTTON_AFTER_LEAVING: translatable("by the button on the page after leaving"),
    EvidenceTerm.BUTTON_BEHIND_LINK: translatable("by the button on the page that the letter's link opens"),
    EvidenceTerm.BUTTON_AT_NEW_ADDRESS: translatable(
        "by the button on the page that the link to the new address opens"
    ),
    EvidenceTerm.HOSTED_FORM: translatable("on our own page"),
    EvidenceTerm.FORM_IN_BOX: translatable("in the box on the publisher's page"),
    EvidenceTerm.PASTED_FORM: translatable("on a page of the publisher's own, which we did not see"),
    EvidenceTerm.RETURN_FORM: translatable("on our own page, after leaving"),
    EvidenceTerm.RENEWAL_FORM: translatable("on our own page, behind an expired link"),
    EvidenceTerm.OWN_SITE: translatable("our own"),
    EvidenceTerm.OWN_SITE_REACHED_AS: translatable("our own, reached as %(stated)s"),
    EvidenceTerm.SITE_NOT_STATED: translatable("not stated"),
    EvidenceTerm.PREFERENCES_BY_FRESH_LINK: translatable("preferences page, by a freshly mailed link"),
    EvidenceTerm.STATED_BY_BROWSER: translatable("the browser"),
    EvidenceTerm.ONE_CLICK: translatable("by the mail program's unsubscribe button"),
    EvidenceTerm.PREFERENCES: translatable("on the preferences page"),
    EvidenceTerm.NEVER: translatable("with the request never to write to this address"),
    EvidenceTerm.NEVER_BY_LETTER: translatable("by the link in the confirmation letter"),
    EvidenceTerm.NEVER_AT_OTHER_SPELLING: translatable(
        "by the link in the confirmation letter to another spelling of this address"
    ),
    EvidenceTerm.NEVER_SAID_BEFORE: translatable("said before at another spelling of this address"),
    EvidenceTerm.NEVER_BY_ADDRESS_LETTER: translatable("by the link in the letter about a change of address"),
    EvidenceTerm.MOVED: translatable("by moving to another address, confirmed there"),
    EvidenceTerm.TOLD_TO_OPERATOR: translatable("told to the publisher: %(stated)s"),
}

LANGUAGES = (EvidenceField.LANGUAGE, EvidenceField.FORM_LANGUAGE)
TIMES = (EvidenceField.FIRST_RECEIVED_AT, EvidenceField.CHANGE_ASKED_AT)
SLUGS = (EvidenceField.NEWSLETTERS, EvidenceField.FORM_OFFERED)


class EvidenceReader(NamedTuple):
    """For whom evidence is put into words."""

    spoken: Language
    zone: str
    names: Mapping[str, str]  # of today's newsletters, by their slugs


def labelled(stored: Mapping[str, str], reader: EvidenceReader) -> list[tuple[EvidenceText, EvidenceText]]:
    """Return all that is stored with an entry, each field with words for its name and its value.

    A name or value that only another release knows stays as it is stored; such names come last.
    """
    known = [field for field in FIELDS if field in stored]
    unknown = sorted(stored.keys() - FIELDS.keys())
    return [(FIELDS.get(field, field), _told(field, stored[field], reader)) for field in (*known, *unknown)]


def of_wording(number: int, tag: str) -> tuple[EvidenceText, EvidenceText]:
    """Return the words for the version of the words of consent that an entry names, and its language."""
    return WORDING, Translatable(VERSION.singular, values={"version": number, "language": own_name(tag)})


def _told(field: str, value: str, reader: EvidenceReader) -> EvidenceText:
    if found := worded(field, value):
        return Translatable(TERMS[found.term].singular, values={"stated": found.stated})
    if field in LANGUAGES:
        return own_name(value)
    if field in SLUGS:
        return _named(value, reader)
    return _time(value, reader) if field in TIMES else value


def _named(slugs: str, reader: EvidenceReader) -> str:
    """Return the names of newsletters. One that is gone keeps its slug."""
    return reader.spoken.listed(reader.names.get(slug, slug) for slug in slugs.split(", "))


def _time(value: str, reader: EvidenceReader) -> str:
    try:
        return reader.spoken.exactly(templating.local(datetime.fromisoformat(value), reader.zone))
    except ValueError:
        return value
