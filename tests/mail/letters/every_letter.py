"""A letter of every kind in every language, filled for one reader, as bytes."""

from newsletter import templating
from newsletter.keys import Keyring
from newsletter.languages.catalogues import LANGUAGES
from newsletter.languages.languages import Language, language
from newsletter.links import Links
from newsletter.mail.delivery.assembly import FieldWriter
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters.composing import compose
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.templates.contexts import NEWSLETTER
from tests.templates.letter_contexts import LETTERS

BASE = "https://letters.example"
KEYRING = Keyring([("k1", "s" * 40)])
FIELDS = {
    "confirmation": ("confirm", "never", "requested_at", "expires_at"),
    "digest": ("mailbox", "preferences", "greeting"),
    "preferences_link": ("fresh_preferences", "fresh_until"),
    "probe": (),
}
NAMES = {"en": "Ana", "ar": "مريم", "ja": "小雪", "pl": "Łucja"}  # of the reader; all others are Zoë


def claim(tag: str) -> Claimed:
    values = {"delivery": 7, "attempt": 1, "variant": 1, "address": "reader@post.example", "first_tried_at": NOON}
    values |= {"key_id": "k1", "newsletter": 3, "sender": NEWSLETTER["sender"], "zone": NEWSLETTER["zone"]}
    values |= {"subscriber": 11, "signup": 5, "nonce": 9, "received_at": NOON, "asked_at": NOON, "asked_for": [3]}
    return Claimed(**dict.fromkeys(Claimed._fields))._replace(**values, name=NAMES.get(tag, "Zoë"))


def letter(kind: str, spoken: Language, case: str = "usual") -> bytes:
    """Return the letter as the service sends it."""
    context = {name: value for name, value in LETTERS[kind][case].items() if name not in ("field", "newsletter")}
    columns = {name: value for name, value in NEWSLETTER.items() if name != "language"}
    newsletter = Newsletter(**columns, language="en", list_id="morning-letter.courier.example", created_at=NOON)
    sheet = compose(
        templating.environment,
        kind,
        language=spoken,
        newsletter=newsletter,
        base_url=BASE,
        stream=kind,
        fields=FIELDS[kind],
        **context,
    )
    writer = FieldWriter(Links(KEYRING, BASE), KEYRING, "k1")
    return b"".join(sheet.fill({field: writer.fields[field](claim(spoken.tag)) for field in sheet.fields}))


def every_letter() -> dict[str, bytes]:
    """Return the letters of every kind and language by "kind.tag"."""
    return {f"{kind}.{tag}": letter(kind, language(tag)) for kind in FIELDS for tag in LANGUAGES}
