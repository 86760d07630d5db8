"""Contexts for letters: usual, far too long, without details and hostile."""

from newsletter.mail.letters.letterheads import ServiceLetterhead
from tests.clock import NOON
from tests.templates.contexts import (
    ADDRESS,
    BARE_ISSUE,
    HEBREW,
    HOSTILE_TITLE,
    ISSUE,
    LONG,
    LONG_ADDRESS,
    LONG_ISSUE,
    LONG_ROW,
    LONG_WORDING,
    NEWSLETTER,
    ROW,
    WORDING,
    article,
    issue,
)

# The markers that mail merge replaces with each reader's values; opaque to the templates.
FIELD = {
    "confirm": "MARKconfirmMARK",
    "never": "MARKneverMARK",
    "requested_at": "MARKrequestedatMARK",
    "expires_at": "MARKexpiresatMARK",
    "unsubscribe": "MARKunsubscribeMARK",
    "preferences": "MARKpreferencesMARK",
    "fresh_preferences": "MARKfreshpreferencesMARK",
    "fresh_until": "MARKfreshuntilMARK",
    "change_address": "MARKchangeaddressMARK",
    "greeting": "MARKgreetingMARK",
    "operator_link": "MARKoperatorlinkMARK",
}
OFFERED = ROW | {"language": "en"}
LONG_OFFERED = LONG_ROW | {"language": "de-AT"}
# A heading as long as the title, and an introduction.
OPENED = {
    "heading": LONG_ISSUE["title"],
    "introduction": ("A first paragraph.", "A second one."),
    "preheader": "What is inside",
    "in_full": 100,
}
UNOPENED = {"heading": None, "introduction": (), "preheader": None, "in_full": 100}
LOGO = {"url": "https://letters.example/pictures/logo.png", "width": 200, "height": 50, "alt": "The Example Courier"}
CONFIRMATION = {
    "newsletter": NEWSLETTER,
    "newsletters": [OFFERED],
    "wording": WORDING,
    "entered_on": "https://letters.example/n/morning-letter",
    "field": FIELD,
}


def opened(articles: list[dict[str, object]], **changes: object) -> dict[str, object]:
    """Return an issue with these articles, as letters show it."""
    return issue(articles, **UNOPENED | changes)


DIGEST = {
    "newsletter": NEWSLETTER,
    "issue": ISSUE | UNOPENED,
    "logo": None,
    "archive_url": "https://letters.example/archive/morning-letter/912",
    "archive_index_url": "https://letters.example/archive/morning-letter",
    "field": FIELD,
}
PROBE: dict[str, object] = {"newsletter": NEWSLETTER, "field": FIELD}
PREFERENCES_LINK: dict[str, object] = {"newsletter": NEWSLETTER, "field": FIELD}
WELCOME: dict[str, object] = {name: DIGEST[name] for name in ("newsletter", "archive_index_url", "logo", "field")}
WELCOME |= {"schedule": "Every weekday at 07:00.", "issue": None}
WELCOMED = {"archive_url": DIGEST["archive_url"], "in_full": 3}
ADDRESS_CHANGE: dict[str, object] = {"newsletter": NEWSLETTER, "field": FIELD}
ADDRESS_NOTICE: dict[str, object] = ADDRESS_CHANGE | {
    "masked": ADDRESS,
    "changed_at": NOON,
    "signup_url": "https://letters.example/n/morning-letter",
}
LETTERS: dict[str, dict[str, dict[str, object]]] = {
    "probe": {"usual": PROBE, "long": PROBE | {"newsletter": LONG}},
    "preferences_link": {"usual": PREFERENCES_LINK, "long": PREFERENCES_LINK | {"newsletter": LONG}},
    "address_change": {"usual": ADDRESS_CHANGE, "long": ADDRESS_CHANGE | {"newsletter": LONG}},
    "address_notice": {
        "usual": ADDRESS_NOTICE,
        "long": ADDRESS_NOTICE | {"newsletter": LONG, "masked": LONG_ADDRESS},
    },
    "confirmation": {
        "usual": CONFIRMATION,
        "by a button": CONFIRMATION | {"entered_on": None},
        "long": CONFIRMATION
        | {"newsletter": LONG, "newsletters": [LONG_OFFERED, OFFERED, LONG_OFFERED], "wording": LONG_WORDING},
    },
    "welcome": {
        "usual": WELCOME,
        "issue": WELCOME | {"issue": ISSUE | UNOPENED | WELCOMED},
        "long": WELCOME | {"newsletter": LONG, "issue": LONG_ISSUE | OPENED | WELCOMED, "logo": LOGO, "schedule": None},
        "bare": WELCOME | {"newsletter": HEBREW, "issue": BARE_ISSUE | UNOPENED | WELCOMED},
        "hostile": WELCOME
        | {"issue": opened([article(HOSTILE_TITLE, excerpt=HOSTILE_TITLE)], title=HOSTILE_TITLE) | WELCOMED},
    },
    "digest": {
        "usual": DIGEST,
        "long": DIGEST | {"newsletter": LONG, "issue": LONG_ISSUE | OPENED, "logo": LOGO},
        "bare": DIGEST | {"newsletter": HEBREW, "issue": BARE_ISSUE | UNOPENED},
        "hostile": DIGEST | {"issue": opened([article(HOSTILE_TITLE, excerpt=HOSTILE_TITLE)], title=HOSTILE_TITLE)},
    },
}

LETTERHEAD = ServiceLetterhead("desk@courier.example", "https://desk.courier.example")
LONG_LETTERHEAD = ServiceLetterhead("desk@courier.example", f"https://{'desk.' * 20}courier.example")
OPERATOR_LINK: dict[str, object] = {"letterhead": LETTERHEAD, "ends_at": NOON, "field": FIELD}
NOTICE: dict[str, object] = {"letterhead": LETTERHEAD, "newsletter": "The Morning Letter", "field": FIELD}
NOTICE |= {"url": "https://desk.courier.example/desk/issues/7"}
WAITS = {"title": "A bridge opens", "articles": 12, "leaves_at": NOON, "waits_until": NOON}
PAUSED = {"title": "A bridge opens", "paused_at": NOON, "reason": "Of 10 letters 10 were refused. 550 5.7.1 Spam"}
FAILING = {"title": "Town", "url": "https://town.example/feed", "failing_since": NOON, "error": "It answers with 404."}


def _notice(name: str, facts: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the cases of a notice about something with these facts."""
    hostile = {key: HOSTILE_TITLE if isinstance(value, str) else value for key, value in facts.items()}
    long_one = {key: value * 30 if isinstance(value, str) else value for key, value in facts.items()}
    return {
        "usual": NOTICE | {name: facts},
        "long": NOTICE | {"letterhead": LONG_LETTERHEAD, "newsletter": "A long name " * 16, name: long_one},
        "hostile": NOTICE | {"newsletter": HOSTILE_TITLE, name: hostile},
    }


# Letters to operators, which are in English and have nothing to unsubscribe from.
OPERATOR_LETTERS: dict[str, dict[str, dict[str, object]]] = {
    "operators/invitation": {"usual": OPERATOR_LINK, "long": OPERATOR_LINK | {"letterhead": LONG_LETTERHEAD}},
    "operators/reset": {"usual": OPERATOR_LINK, "long": OPERATOR_LINK | {"letterhead": LONG_LETTERHEAD}},
    "operators/issue_waits": _notice("issue", WAITS)
    | {"endless": NOTICE | {"issue": WAITS | {"waits_until": None, "articles": 0}}},
    "operators/issue_paused": _notice("issue", PAUSED),
    "operators/feed_failing": _notice("feed", FAILING),
}
