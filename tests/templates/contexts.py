"""Contexts for pages, and the data that letters share with them: usual, far too long, empty and hostile."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from newsletter import templating
from newsletter.consent.decisions.leaving_reasons import ReasonToLeave
from newsletter.consent.signups import returning
from newsletter.consent.wordings import rendered_forms
from newsletter.consent.wordings.rendered_forms import Entered
from newsletter.languages.languages import language
from newsletter.legal_pages import marked_text
from newsletter.legal_pages.generated_texts import NAMES, generated
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.web import negotiation
from newsletter.web.public.page_descriptions import FeedLink, describe
from newsletter.web.public.preferences import zone_choices

NOON = datetime(2026, 10, 22, 12, tzinfo=UTC)

NEWSLETTER = {
    "slug": "morning-letter",
    "name": "Morning Letter",
    "description": "What happened overnight, and what it changes about your day.",
    "publisher": "The Example Courier",
    "sender": "letters@courier.example",
    "reply_to": "answers@courier.example",
    "postal_address": "1 Paper Street, 00000 Exampleton",
    "language": "en",
    "zone": "Europe/Berlin",
    "brand": "#0f5c6e",
    "logo_sha256": "a" * 64,
    "site_url": "https://courier.example/",
}
LONG = NEWSLETTER | {
    "slug": "grundstuecksverkehrsgenehmigung-zweitau",
    "name": "Council and Planning: votes, building notices and consultations in the old town and the nine villages",
    "description": "Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnungsentwurfsbegründungen, "
    "and what else was decided, told so that you know until when you can object to it and where. " * 3,
    "publisher": "The Joint Publishing Office of the Old Town, the New Town and the Nine Villages on Both Rivers",
    "sender": "letters-of-the-joint-publishing-office@newsletters.joint-publishing-office.example",
    "reply_to": "answers-to-the-joint-publishing-office@newsletters.joint-publishing-office.example",
    "postal_address": "Joint Publishing Office, third floor, rear building, 128 to 130 Long Quay, 00000 Exampleton",
    "language": "de-AT",
    "brand": "#ffd400",
    "site_url": "https://joint-publishing-office-of-the-nine-villages-on-both-rivers.example/newsletters?from=a&to=b",
}
HEBREW = NEWSLETTER | {"name": "מכתב הבוקר", "language": "he", "brand": "#7a1fa2"}

WORDING = {
    "id": 4,
    "language": "en",
    "text": "I ask The Example Courier (1 Paper Street, 00000 Exampleton) to send the newsletter Morning Letter to my "
    "e-mail address. I can stop this at any time, free of charge and without giving a reason: with the link in every "
    "letter, or by writing to answers@courier.example.",
    "information": {
        "language": "en",
        "entries": [
            ["Responsible", "The Example Courier, 1 Paper Street, 00000 Exampleton. Write to answers@courier.example."],
            ["Purpose and basis", "Sending you Morning Letter, with your consent (Art. 6(1)(a) GDPR)."],
        ],
    },
}
LONG_WORDING = WORDING | {"language": "de-AT", "text": WORDING["text"] * 5}
ADDRESS = "g•••e@p•••.example"
LONG_TYPED = "garden.gate.and.everything.behind.it@newsletters.of.the.joint-publishing-office-of-the-nine-villages.com"
LONG_ADDRESS = "g•••e@n•••.joint-publishing-office-of-the-nine-villages-on-both-rivers.example"

TITLES = [
    "The footbridge opens on Monday, four weeks early",
    "Night buses will wait for the last train",
    "Two designs for the market hall roof, and one budget",
    "Library fines are gone; the books came home anyway",
    "The last apples go to the school kitchens",
]
LONG_TITLE = (
    "How to read a building notice, and what the yellow board on the fence in front of the former dye works actually "
    "allows its owner to do: Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnungsentwurf, part 2"
)
HOSTILE_TITLE = "{{ 7*7 }} <script>alert(1)</script> =?utf-8?q?=0ABcc:_x=40y.z?= \" ' & {% include 'base.html' %}"


def picture(number: int = 1, alt: str = "A footbridge over a wide river.") -> dict[str, object]:
    return {"url": f"https://letters.example/pictures/{number}.png", "width": 1104, "height": 620, "alt": alt}


def article(title: str, number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "title": title,
        "url": f"https://courier.example/articles/{number}?from=letter&part={number}",
        "excerpt": "The old piers are sounder than the plans said. Still missing: the lights, and a name.",
        "source": "Town",
        "author": None,
        "minutes": 4,
        "picture": picture(number) if number % 3 else None,
    } | changes


def issue(articles: list[dict[str, object]], **changes: object) -> dict[str, object]:
    return {
        "number": 912,
        "title": "The footbridge opens on Monday, and the night bus learns to wait",
        "date": "Thursday 22 October 2026",
        "sent_at": NOON,
        "articles": articles,
    } | changes


ISSUE = issue([article(title, number) for number, title in enumerate(TITLES, start=1)])
BARE_ISSUE = issue([article("One line", excerpt="", source=None, minutes=None, picture=None)], title="One line")
LONG_ISSUE = issue(
    [
        article(
            LONG_TITLE,
            number,
            excerpt="The board says four things in the words of an office, and one of them counts for you. " * 6,
            source="Notices of the Joint Publishing Office of the Old Town, the New Town and the Nine Villages",
            author="The night desk, with the help of everybody who was still awake",
            picture=picture(number, alt=LONG_TITLE),
        )
        for number in range(1, 25)
    ],
    title=LONG_TITLE,
    number=14206,
)

ROW = {
    "slug": "morning-letter",
    "name": "Morning Letter",
    "language": "en",
    "schedule": "Every weekday at 07:00.",
    "since": NOON,
    "zone": "Europe/Berlin",
    "languages": [],
}
LONG_ROW = ROW | {"language": LONG["language"], "name": LONG["name"], "slug": LONG["slug"], "schedule": None}
SITE = {
    "publisher": "The Example Courier",
    "newsletter": NEWSLETTER,
    "publisher_sites": [{"name": NEWSLETTER["publisher"], "url": NEWSLETTER["site_url"]}],
    "root": "",
    "query": "",
}
LONG_SITE = {
    "publisher": LONG["publisher"],
    "newsletter": LONG,
    "publisher_sites": [{"name": LONG["publisher"], "url": LONG["site_url"]}],
    "root": "",
    "query": "?language=de-AT",
}
NOBODY = {"publisher": "The Example Courier", "newsletter": None, "root": "", "query": ""}


def hosted_form(
    wording: dict[str, Any], *newsletters: dict[str, Any], path: str = "/subscribe", **entered: Any
) -> Markup:
    """Return a form of these newsletters, with what was entered."""
    offered = [SimpleNamespace(**newsletter) for newsletter in newsletters]
    return rendered_forms.hosted(
        templating.environment,
        SimpleNamespace(**wording),
        offered,  # type: ignore[arg-type]
        wording=4,
        form=17,
        entered=Entered(**entered),
        path=path,
    )


def return_form(wording: dict[str, Any], way: returning.WayBack = returning.AFTER_LEAVING) -> dict[str, object]:
    """Return the way back that shows this wording."""
    words = returning.rendered(templating.environment, SimpleNamespace(**wording), way)  # type: ignore[arg-type]
    return {"wording": 4, "exhibit": returning.exhibit_of(words), "words": words}


def renewal(wording: dict[str, Any], newsletters: list[dict[str, Any]]) -> dict[str, object]:
    """Return what the page of an expired link asks for again."""
    asked = [each | {"language": "en"} for each in newsletters]
    return {"newsletters": asked, "ids": "3", "hours": 72, **return_form(wording, returning.EXPIRED_LINK)}


SIGNUP = SITE | {
    "hosted_form": hosted_form(WORDING, NEWSLETTER),
    "languages": [],
    "schedule": "Every weekday at 07:00, in your own time zone.",
    "latest": {"url": "/archive/morning-letter/912", "titles": TITLES},
    "errors": {},
}
WRONG = {
    "email": "Enter the whole address, like name@example.org. “garden.gate@post” stops before the ending.",
    "consent": "Tick the box if you agree; without that we may not write to you.",
}
TOO_LONG = {"email": "Too long: " + "a" * 300, "name": "Too long: " + "n" * 300, "consent": "Tick the box."}
LONG_ENTERED = {"email": "a" * 300 + "@" + "b" * 300, "name": "n" * 300, "errors": TOO_LONG}
SPOKEN = negotiation.links("/n/morning-letter", ["en", "ar"], "en")


def outbox_letter(number: int, subject: str, to: str = "garden.gate@post.example") -> dict[str, object]:
    return {"url": f"/outbox/{number}", "at": NOON + timedelta(seconds=number), "to": to, "subject": subject}


LETTER = {
    "subject": "Please confirm: Morning Letter",
    "sender": "The Example Courier <letters@courier.example>",
    "to": "garden.gate@post.example",
    "at": NOON,
    "unsubscribe": "<https://letters.example/u/k1.AAECAwQFBgcICQoLDA0ODw>",
}

CHECK_INBOX = {
    "confirm_hours": 72,
    "wait_minutes": 10,
    "letters_a_day": 3,
    "back": "https://courier.example",
    "fields": Markup('<input type="hidden" name="newsletters" value="morning-letter">'),
}
CONFIRM = {
    "confirm_words": rendered_forms.confirm_words(templating.environment, language="en", text=str(WORDING["text"]))
}
LONG_CONFIRM = {
    "confirm_words": rendered_forms.confirm_words(
        templating.environment, language="de-AT", text=str(LONG_WORDING["text"])
    )
}
LEFT: dict[str, object] = {
    "action": "/u/k1.AAECAwQFBgcICQoLDA0ODw",
    "reasons": [reason.value for reason in ReasonToLeave],
    "return_form": return_form(WORDING),
    "told": None,
    "entered": {"reason": "", "comment": ""},
    "comment_characters": 500,
    "errors": {},
}
WRONG_REASON = {
    "entered": {"reason": "other", "comment": HOSTILE_TITLE},
    "errors": {
        "reason": "Choose a reason, or write one.",
        "comment": "Please write at most 500 characters; these are 512.",
        "words": "The words of consent have changed meanwhile. Please read them once more.",
    },
}
LONG_RETURN_FORM = return_form(LONG_WORDING)
PAGE_DESCRIPTION = describe(
    "https://letters.example/archive",
    tag="en",
    languages=["en", "de-AT"],
    description="Past letters",
    feeds=[
        FeedLink("application/atom+xml", "https://letters.example/archive/morning-letter/feed.atom", "Morning Letter")
    ],
)
ARCHIVE = {"root": "", "query": "?language=de-AT", "hosted_form": None, "page_description": PAGE_DESCRIPTION}


def row(issue: dict[str, object]) -> dict[str, object]:
    return issue | {"url": f"/archive/morning-letter/{issue['number']}", "day": NOON}


def archived(issue: dict[str, object], **changes: object) -> dict[str, object]:
    """Return the context of an issue's page in the archive."""
    articles = [{"thumbnail": None} | shown for shown in issue["articles"]]
    edition = {"heading": None, "introduction": ()} | issue | {"articles": articles} | changes
    neighbors = {"previous": row(LONG_ISSUE), "following": None}
    return (
        ARCHIVE
        | neighbors
        | {"heading": edition["heading"] or "Morning Letter, Thursday 22 October 2026"}
        | {
            "issue": row(issue),
            "edition": edition,
        }
    )


TOKEN = "k1.AgER-_5d3b6a7c8d9e0f1a2b3c"
LETTER_LINK = {
    "address": ADDRESS,
    "token": TOKEN,
    "standing": None,
    "paused_until": None,
    "is_pause_open": False,
    "weeks": (1, 2, 4, 8),
    "has_paused": False,
    "has_resumed": False,
    "has_run_out": False,
}
FRESH_LINK = {
    "address": ADDRESS,
    "token": TOKEN,
    "until": NOON,
    "subscriptions": [],
    "weeks": (1, 2, 4, 8),
    "others": [],
    "details": {"name": "", "zone": "", "name_before": "", "zone_before": ""},
    "zones": zone_choices.groups("en"),
    "errors": {},
    "saved": None,
}
SAVED = {"stopped": [], "translated": [], "resumed": [], "paused": [], "details": {}}
SUBSCRIPTION = ROW | {
    "is_kept": True,
    "languages": [],
    "language_before": "en",
    "language_chosen": "en",
    "paused_until": None,
    "is_pause_open": False,
    "pause_chosen": "",
}
OTHERS = [
    NEWSLETTER | {"slug": "weekend", "is_asked": True, "takes_signups": True},
    LONG | {"is_asked": False, "takes_signups": True},
    HEBREW | {"slug": "hebrew", "is_asked": False, "takes_signups": False},
]
FURTHER = {
    "address": ADDRESS,
    "token": TOKEN,
    "hosted_form": hosted_form(WORDING, NEWSLETTER, path="/p", email=ADDRESS, name="Ana"),
    "schedule": "Every weekday at 07:00.",
    "is_asked": False,
    "errors": {},
}
FRESH = {"preferences": "/preferences/k1.AAECAwQFBgcICQoLDA0ODw", "until": NOON}


def happened(told: str, number: int = 14206, **changes: object) -> dict[str, object]:
    """Return an entry of a reader's history."""
    return {
        "number": number,
        "mark": "9f3c 71e0",
        "at": NOON,
        "told": told,
        "is_decision": False,
        "wording": None,
        "details": [("E-mail address", "garden.gate@post.example"), ("Place of the form", "on our own page")],
    } | changes


PAUSE, NO_PAUSE = ({"paused_until": at, "is_pause_open": False} for at in (NOON, None))
AGREED = {"text": WORDING["text"], "language": "en"}
MY_DATA = (
    SITE
    | FRESH
    | {
        "address": "garden.gate@post.example",
        "subscriber": SimpleNamespace(name="Ana", zone="Europe/Berlin"),
        "spoken": "English",
        "since": NOON,
        "zone": "Europe/Berlin",
        "subscriptions": [
            {"newsletter": NEWSLETTER, "standing": "subscribed", "spoken": "Deutsch", "since": NOON, **PAUSE},
            {"newsletter": LONG, "standing": "left", "spoken": None, "since": NOON, **NO_PAUSE},
        ],
        "history": [
            happened("This address was entered for Morning Letter, and the box of consent was ticked.", wording=AGREED),
            happened("You confirmed Morning Letter.", is_decision=True, wording=AGREED),
            happened("Nobody confirmed the Weekend Reader in time, so the request ended.", details=None),
        ],
        "earlier": None,
        "is_newest": True,
        "sent": 912,
        "letters": [{"newsletter": NEWSLETTER, "state": "sent", "at": NOON}],
        "information": WORDING["information"],
        "can_change": True,
    }
)

# The cases of each template, with their contexts.
IMPRINT = NAMES[LegalPage.IMPRINT].title
OWN_TEXT = (
    "# Herausgeber\n\nDie Zeitung\n1 Paper Street\n\nSchreiben Sie an answers@courier.example, oder lesen Sie "
    f"https://courier.example/{'impressum' * 20}.\n\n- Eintrag 1\n- <script>alert(1)</script>"
)


def legal(page: LegalPage, newsletter: dict[str, Any]) -> dict[str, object]:
    about: Any = SimpleNamespace(**newsletter | {"site_url": "https://courier.example/news"})
    text = generated(page, about, language("en"))
    names = NAMES[page]
    shown = {"kind": names.title, "headline": names.headline(about), "sections": marked_text.read(text)}
    return {**shown, "newsletter": vars(about), "text_language": "en", "languages": SPOKEN}


PAGES: dict[str, dict[str, dict[str, object]]] = {
    "signup": {
        "usual": SIGNUP,
        "wrong": SIGNUP
        | {
            "hosted_form": hosted_form(WORDING, NEWSLETTER, email="garden.gate@post", errors=WRONG),
            "errors": WRONG,
        },
        "stale": SIGNUP | {"errors": {"wording": "The words of the form have changed. Please read them once more."}},
        "long": SIGNUP
        | LONG_SITE
        | {
            "hosted_form": hosted_form(LONG_WORDING, LONG, **LONG_ENTERED),
            "latest": {"url": "/archive/x/1", "titles": [LONG_TITLE] * 9},
            "errors": TOO_LONG,
        },
        "empty": SIGNUP | {"newsletter": NEWSLETTER | {"description": ""}, "latest": None, "schedule": None},
        "hebrew": SIGNUP | {"newsletter": HEBREW, "languages": SPOKEN},
        "closed": SIGNUP | {"hosted_form": None},
    },
    "newsletters": {
        "usual": NOBODY
        | {"newsletters": [NEWSLETTER, LONG, HEBREW], "hosted_form": None, "languages": SPOKEN, "errors": {}},
        "several": NOBODY
        | {
            "newsletters": [NEWSLETTER, LONG, HEBREW],
            "hosted_form": hosted_form(
                WORDING, NEWSLETTER, LONG, HEBREW, newsletters=[LONG["slug"]], errors={"newsletters": "Choose one."}
            ),
            "languages": [],
            "errors": {"newsletters": "Choose one."},
        },
        "empty": NOBODY | {"newsletters": [], "hosted_form": None, "languages": [], "errors": {}},
    },
    "check_inbox": {
        "usual": SITE
        | CHECK_INBOX
        | {
            "newsletters": [ROW],
            "sender": "letters@courier.example",
            "sending": "first",
            "address": "ana@gmail.com",
            "suggestion": None,
            "webmail": {"name": "Gmail", "url": "https://mail.google.com/"},
            "outbox": False,
            "back": None,
        },
        "long": LONG_SITE
        | CHECK_INBOX
        | {
            "newsletters": [LONG_ROW, ROW, ROW],
            "sender": LONG["sender"],
            "sending": "corrected",
            "address": LONG_TYPED.replace(".com", ".con"),
            "suggestion": LONG_TYPED,
            "webmail": None,
            "outbox": True,
            "back": "https://www.newsletters.joint-publishing-office-of-the-nine-villages-on-both-rivers.example/",
        },
        "again": SITE
        | CHECK_INBOX
        | {
            "newsletters": [ROW],
            "sender": "letters@courier.example",
            "sending": "again",
            "address": "ana@courier.example",
            "suggestion": None,
            "webmail": None,
            "outbox": False,
            "back": None,
        },
    },
    "confirm": {
        "usual": SITE | {"address": ADDRESS, "newsletters": [ROW], **CONFIRM},
        "long": LONG_SITE | {"address": LONG_ADDRESS, "newsletters": [LONG_ROW, ROW, ROW], **LONG_CONFIRM},
    },
    "confirmed": {
        "usual": SITE
        | {"address": ADDRESS, "newsletters": [ROW], "welcome": False}
        | {"senders": ["letters@courier.example"], "site_url": "https://courier.example/"},
        "long": LONG_SITE
        | {"address": LONG_ADDRESS, "newsletters": [LONG_ROW, ROW, ROW], "welcome": True}
        | {"senders": ["letters@courier.example", LONG["sender"]], "site_url": None},
    },
    "already_confirmed": {
        "usual": SITE | {"address": ADDRESS, "newsletters": [ROW]},
        "empty": SITE | {"address": None, "newsletters": [ROW, LONG_ROW]},
    },
    "withdrawn_since": {
        "usual": SITE | {"address": ADDRESS, "newsletters": [ROW]},
        "long": LONG_SITE | {"address": LONG_ADDRESS, "newsletters": [LONG_ROW, ROW, ROW]},
    },
    "link_expired": {
        "usual": SITE | {"renewal": None, "errors": {}},
        "renewable": SITE | {"renewal": renewal(WORDING, [ROW]), "errors": {}},
        "changed": LONG_SITE
        | {"renewal": renewal(LONG_WORDING, [LONG_ROW, ROW, ROW]), "errors": {"words": "Please read them once more."}},
        "empty": NOBODY | {"renewal": None, "errors": {}},
    },
    "replaced": {
        "usual": SITE | {"address": ADDRESS, "newsletters": [ROW]},
        "long": LONG_SITE | {"address": LONG_ADDRESS, "newsletters": [LONG_ROW, ROW, ROW]},
    },
    "whole_link": {
        "usual": SITE | {"state": "cut"},
        "asked": NOBODY | {"state": "asked"},
        "wrong": LONG_SITE | {"state": "wrong"},
    },
    "unsubscribe": {"usual": SITE | {"address": ADDRESS}, "long": LONG_SITE | {"address": LONG_ADDRESS}},
    "unsubscribed": {
        "usual": SITE | {"everything": False} | LEFT,
        "told": SITE | {"everything": False} | LEFT | {"reasons": None, "told": "too many"},
        "wrong": SITE | {"everything": False} | LEFT | WRONG_REASON,
        "closed": SITE | {"everything": False} | LEFT | {"return_form": None},
        "all": LONG_SITE | {"everything": True} | LEFT | {"return_form": LONG_RETURN_FORM},
        "gone": {"publisher": None, "newsletter": None, "root": "", "query": "", "everything": False},
    },
    "returning": {
        "usual": SITE | {"sender": NEWSLETTER["sender"], "outbox": False},
        "long": LONG_SITE | {"sender": LONG["sender"], "outbox": True},
    },
    "never": {"usual": SITE | {"address": ADDRESS}, "long": LONG_SITE | {"address": LONG_ADDRESS}},
    "never_done": {"usual": SITE, "long": LONG_SITE},
    "letter_preferences": {
        "usual": SITE | LETTER_LINK | {"standing": "subscribed"},
        "paused": SITE | LETTER_LINK | {"standing": "subscribed", "paused_until": NOON, "has_paused": True},
        "open": LONG_SITE | LETTER_LINK | {"standing": "subscribed", "paused_until": NOON, "is_pause_open": True},
        "resumed": LONG_SITE | LETTER_LINK | {"standing": "subscribed", "has_resumed": True},
        "left": LONG_SITE | LETTER_LINK | {"address": LONG_ADDRESS, "standing": "left"},
        "asked": SITE | LETTER_LINK | {"standing": "asked"},
        "old": NOBODY | LETTER_LINK,
        "late": NOBODY | LETTER_LINK | {"has_run_out": True},
    },
    "link_mailed": {
        "usual": SITE | {"address": ADDRESS, "hours": 12, "asks_for_data": False},
        "old": NOBODY | {"address": LONG_ADDRESS, "hours": 12, "asks_for_data": False},
        "data": NOBODY | {"address": "garden.gate@post.example", "hours": 12, "asks_for_data": True},
    },
    "address_change": {
        "usual": SITE | FRESH | {"address": ADDRESS, "entered": "", "error": None},
        "wrong": LONG_SITE | FRESH | {"address": LONG_ADDRESS, "entered": "a" * 300, "error": TOO_LONG["email"]},
    },
    "address_asked": {
        "usual": SITE | FRESH | {"address": "garden.gate@post.example", "hours": 72},
        "long": LONG_SITE | FRESH | {"address": "a" * 60 + "@" + "b" * 60 + ".example", "hours": 72},
    },
    "address_confirm": {
        "usual": SITE | {"address": ADDRESS, "former": ADDRESS},
        "long": LONG_SITE | {"address": LONG_ADDRESS, "former": LONG_ADDRESS},
    },
    "address_changed": {"usual": SITE | {"address": ADDRESS}, "long": LONG_SITE | {"address": LONG_ADDRESS}},
    "address_link_ended": {"usual": SITE | {"address": ADDRESS}, "long": LONG_SITE | {"address": LONG_ADDRESS}},
    "my_data_ask": {
        "usual": NOBODY | {"entered": "", "error": None},
        "wrong": NOBODY | {"entered": "garden.gate@post", "error": WRONG["email"]},
    },
    "my_data": {
        "usual": MY_DATA,
        "long": MY_DATA
        | LONG_SITE
        | {"earlier": "?before=7", "is_newest": False, "address": "a" * 60 + "@post.example"},
        "left": MY_DATA
        | {
            "subscriber": SimpleNamespace(name=None, zone=None),
            "spoken": None,
            "subscriptions": [{"newsletter": HEBREW, "standing": "asked", "spoken": None, "since": NOON, **NO_PAUSE}],
            "sent": 1,
            "letters": [{"newsletter": None, "state": "not sent", "at": NOON}],
            "information": None,
            "can_change": False,
        },
    },
    "preferences": {
        "usual": SITE | FRESH_LINK | {"subscriptions": [SUBSCRIPTION], "others": OTHERS},
        "saved": SITE
        | FRESH_LINK
        | {
            "address": LONG_ADDRESS,
            "subscriptions": [
                SUBSCRIPTION | {"paused_until": NOON},
                SUBSCRIPTION
                | LONG_ROW
                | {
                    "languages": [{"tag": "en", "name": "English"}, {"tag": "ar", "name": "العربية"}],
                    "language_chosen": "ar",
                    "paused_until": NOON,
                    "is_pause_open": True,
                },
            ],
            "details": FRESH_LINK["details"] | {"name": "Ana", "zone": "Asia/Tokyo"},
            "saved": SAVED
            | {
                "stopped": ["The Weekend Reader"],
                "translated": ["Morning Letter"],
                "resumed": ["Morning Letter"],
                "paused": [
                    ROW | {"until": NOON, "is_open": False},
                    LONG_ROW | {"until": NOON, "is_open": True},
                ],
                "details": {"name": "Ana", "zone": "Tokyo"},
            },
        },
        "wrong": SITE
        | FRESH_LINK
        | {
            "subscriptions": [SUBSCRIPTION | {"is_kept": False, "pause_chosen": "2"}],
            "details": {"name": "=?x", "zone": "Nowhere/At_All", "name_before": "Ana", "zone_before": ""},
            "errors": {
                "name": "Enter the name as plain text on one line.",
                "zone": "“Nowhere/At_All” is no time zone.",
            },
        },
        "long": LONG_SITE
        | FRESH_LINK
        | {
            "subscriptions": [SUBSCRIPTION | LONG_ROW | {"slug": f"{LONG_ROW['slug']}-{n}"} for n in range(30)],
            "details": {"name": LONG_TITLE, "zone": "UTC", "name_before": "", "zone_before": ""},
            "saved": SAVED | {"details": {"name": LONG_TITLE, "zone": None}},
        },
        "empty": NOBODY | FRESH_LINK | {"others": OTHERS[:1], "saved": SAVED | {"details": {"name": None}}},
    },
    "further_newsletter": {
        "usual": SITE | FURTHER,
        "wrong": SITE
        | FURTHER
        | {"is_asked": True, "hosted_form": hosted_form(WORDING, NEWSLETTER, path="/p", errors=WRONG), "errors": WRONG},
        "long": LONG_SITE
        | FURTHER
        | {"address": LONG_ADDRESS, "hosted_form": hosted_form(LONG_WORDING, LONG, path="/p", **LONG_ENTERED)},
        "closed": SITE | FURTHER | {"hosted_form": None, "schedule": None},
    },
    "further_asked": {
        "usual": SITE | {"address": ADDRESS, "sender": NEWSLETTER["sender"], "token": TOKEN, "outbox": False},
        "long": LONG_SITE | {"address": LONG_ADDRESS, "sender": LONG["sender"], "token": TOKEN, "outbox": True},
    },
    "archive": {
        "usual": NOBODY
        | {
            "newsletters": [
                NEWSLETTER | {"latest": row(ISSUE)},
                LONG | {"latest": row(LONG_ISSUE)},
                HEBREW | {"latest": None},
            ],
            "page_description": PAGE_DESCRIPTION,
            "root": "",
            "query": "?language=de-AT",
        },
        "empty": NOBODY | {"newsletters": []},
    },
    "archive_newsletter": {
        "usual": SITE
        | ARCHIVE
        | {
            "issues": [row(ISSUE), row(BARE_ISSUE | {"number": 911}), row(LONG_ISSUE | {"number": 910})],
            "older": 910,
            "is_newest": False,
        },
        "empty": LONG_SITE | ARCHIVE | {"issues": [], "older": None, "is_newest": True},
    },
    "legal": {
        "usual": SITE | legal(LegalPage.PRIVACY, NEWSLETTER),
        "imprint": SITE | legal(LegalPage.IMPRINT, NEWSLETTER),
        "accessibility": SITE | legal(LegalPage.ACCESSIBILITY, NEWSLETTER),
        "long": LONG_SITE | legal(LegalPage.PRIVACY, LONG),
        "own": SITE
        | legal(LegalPage.IMPRINT, NEWSLETTER)
        | {"headline": IMPRINT, "sections": marked_text.read(OWN_TEXT), "text_language": "de"},
    },
    "legal_of_all": {
        "usual": NOBODY | {"newsletters": [NEWSLETTER, LONG, HEBREW], "kind": IMPRINT, "page": "imprint"},
        "empty": NOBODY | {"newsletters": [], "kind": IMPRINT, "page": "imprint"},
    },
    "saved": {"usual": SITE, "several": NOBODY, "long": LONG_SITE},
    "archive_issue": {
        "usual": SITE | archived(ISSUE),
        "long": LONG_SITE | archived(LONG_ISSUE, heading=LONG_TITLE, introduction=(LONG_TITLE, LONG_TITLE)),
        "bare": {"publisher": HEBREW["publisher"], "newsletter": HEBREW, **archived(BARE_ISSUE)},
    },
    "outbox": {
        "usual": NOBODY
        | {
            "letters": [
                outbox_letter(3, "The footbridge opens on Monday"),
                outbox_letter(2, LONG_TITLE, "a" * 60 + "@" + "b" * 60 + ".example"),
            ]
            + [outbox_letter(1, "Please confirm: Morning Letter")] * 12,
            "total": 14206,
            "zone": "Europe/Berlin",
        },
        "empty": NOBODY | {"letters": [], "total": 0, "zone": "UTC"},
    },
    "outbox_letter": {
        "usual": NOBODY
        | {
            "letter": LETTER,
            "views": {"html": "letter.html", "text": "letter.txt", "source": "letter.eml.txt"},
            "zone": "Europe/Berlin",
        },
        "long": NOBODY
        | {
            "letter": LETTER | {"subject": LONG_TITLE, "unsubscribe": None},
            "views": {"html": None, "text": "letter.txt", "source": "letter.eml.txt"},
            "zone": "UTC",
        },
    },
    "refused": {
        "usual": SITE
        | {
            "title": "This link does not work",
            "explanation": "A part of it is missing.",
            "remedy": "Open it once more from the letter.",
        },
        "empty": NOBODY
        | {"title": "The request is too large", "explanation": "At most 64 kB are accepted.", "remedy": None},
    },
    "not_found": {"usual": NOBODY, "site": SITE},
    "trouble": {"usual": SITE, "empty": {"publisher": None, "newsletter": None, "root": "", "query": ""}},
}
