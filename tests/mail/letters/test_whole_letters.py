"""Merged letters equal letters rendered for one reader alone and built by Python's email package."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from html import unescape
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter import templating
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.keys import Keyring
from newsletter.languages.languages import ENGLISH
from newsletter.links import Links
from newsletter.mail.delivery import words
from newsletter.mail.delivery.assembly import Assembler, FieldWriter
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters import mime
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Variant
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.letters import assert_well_formed, parsed, read

KEYRING = Keyring([("k1", "s" * 40)])
TEMPLATES = templating.environment()
BASE = "https://letters.example.org"
ODD = [".", "From me", "=?utf-8?q?x?=", "Smith, Jo", 'Jo "the" O\'Hara & <b>', "张伟" * 100, "مريم", "e\u0301" * 100]
ODD += ["👩‍🚀" * 40, "x" * 200, "{{ 7*7 }}", "a\nb", "a\u2028b", "\u202eabc", "=3D", "Dear", " Ana  Maria "]

line = st.text(max_size=200).map(lambda text: mime.CONTROLS.sub("", text)) | st.sampled_from(ODD)
text = line.filter(lambda value: value.strip() and value.split())
local = st.text("abcxyzABC0189+-_=", min_size=1, max_size=64)
numbers = st.integers(1, 2**62)


def a_newsletter(name: str, publisher: str) -> Newsletter:
    values = {"slug": "morning", "name": name, "publisher": publisher, "sender": "letters@press.example"}
    values |= {"reply_to": "a@press.example", "postal_address": "1 Street", "language": "en", "zone": "Asia/Kolkata"}
    return Newsletter(**values, list_id="morning.press.example", brand="#0f5c6e", created_at=NOON)


def claim(address: str, name: str | None, number: int) -> Claimed:
    values = {
        "delivery": number,
        "attempt": 1,
        "variant": 1,
        "address": address,
        "first_tried_at": NOON,
        "key_id": "k1",
    }
    values |= {"newsletter": 3, "sender": "letters@press.example", "return_path_domain": None, "zone": "Asia/Kolkata"}
    values |= {
        "key_id": "k1",
        "subscriber": number,
        "signup": number,
        "nonce": number,
        "name": name,
        "received_at": NOON,
        "asked_at": NOON,
        "asked_for": [3],
    }
    return Claimed(**{field: values.get(field) for field in Claimed._fields})


def merged(kind: str, claimed: Claimed, **context) -> bytes:
    """Return the letter as the service sends it: laid out, stored, loaded and filled."""
    sheet = compose(lambda _: TEMPLATES, kind, language=ENGLISH, base_url=BASE, stream=kind, **context)
    cuts = [list(cut) for cut in sheet.cuts]
    stored = Variant(letter_id=1, language="en", design="x", sha256=sheet.sha256, body=sheet.body, cuts=cuts)
    assert stored.is_intact()
    return b"".join(Assembler(Links(KEYRING, BASE), KEYRING).assemble(claimed, stored, begin_by=0).body)


def plain(kind: str, claimed: Claimed, *, newsletter: Newsletter, fields, **context) -> bytes:
    """Return the letter as Python's email package writes it for this reader alone."""
    pen = FieldWriter(Links(KEYRING, BASE), KEYRING, "k1")
    made = {name: pen.fields[name](claimed) for name in ("date", "message_id", "unsubscribe", *fields)}
    field = {name: value if isinstance(value, str) else value.decode().strip() for name, value in made.items()}

    def render(part: str) -> str:
        return TEMPLATES.get_template(f"letters/{kind}/{part}").render(newsletter=newsletter, field=field, **context)

    message = EmailMessage()
    message["From"] = Address(mime.on_one_line(newsletter.publisher), addr_spec=newsletter.sender)
    message["Reply-To"] = newsletter.reply_to
    name = " ".join(claimed.name.split()) if claimed.name and "mailbox" in fields else ""
    message["To"] = Address(name, addr_spec=claimed.address)
    message["Subject"] = mime.on_one_line(render("subject.txt"))
    message["Date"], message["Message-ID"] = field["date"], field["message_id"]
    message["List-Id"] = "<morning.press.example>"
    message["List-Unsubscribe"] = f"<{field['unsubscribe']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["List-Help"] = f"<{BASE}/n/morning>"
    message["List-Archive"] = f"<{BASE}/archive/morning>"
    message["List-Owner"] = "<mailto:a@press.example>"
    message["List-Post"], message["Auto-Submitted"] = "NO", "auto-generated"
    message["Feedback-ID"] = f"{kind}:morning:press.example"
    message.set_content(render("body.txt"))
    message.add_alternative(render("body.html"), subtype="html")
    return message.as_bytes()


def assert_same(ours: bytes, theirs: bytes, **texts: str) -> None:
    assert_well_formed(ours)
    (headers, parts), (_, expected_parts) = read(ours), read(theirs)
    # Jinja writes &#34; and we write &quot;; both are a quotation mark.
    assert [unescape(part) for part in parts] == [unescape(part) for part in expected_parts]
    ours, theirs = parsed(ours), parsed(theirs)
    expected = [name.lower() for name, _ in theirs.items() if name != "Content-Type"]
    assert sorted(name.lower() for name, _ in headers) == sorted(expected)
    for name, value in theirs.items():
        if name in texts:
            # The library decodes an encoded-word in a text that it writes, and adds blanks between those of a name that
            # it parses. So texts are compared with the expected ones, without blanks.
            shown = [each.display_name for each in ours[name].addresses] if name != "Subject" else [ours[name]]
            if name != "Subject":
                assert [each.addr_spec for each in ours[name].addresses] == [each.addr_spec for each in value.addresses]
            assert "".join(" ".join(shown).split()) == "".join(texts[name].split())
        elif name not in ("Content-Type", "MIME-Version"):
            assert " ".join(ours[name].split()) == " ".join(value.split())


@settings(max_examples=25)
@given(text, text, text, st.none() | text, local, numbers)
@example("News", "Press", "Title", "Zoë Müller", "ana", 7)
@example("News", ".", "From me", "From me", "ana", 7)
@example("0", "0", "0", 'Jo "the" O\'Hara & <b>', "0", 1)
def test_a_merged_issue_equals_one_written_for_its_reader_alone(letter, publisher, title, name, to, number):
    article = {"title": title, "url": f"{BASE}/?q=1&b=%C3%BC", "excerpt": letter, "source": publisher, "author": name}
    context = {
        "newsletter": a_newsletter(letter, publisher),
        "fields": ("mailbox", "preferences", "greeting"),
        "issue": {
            "number": number,
            "title": title,
            "date": "Saturday 14 March 2026",
            "heading": None,
            "introduction": (),
            "in_full": 2,
            "preheader": None,
            "articles": [{**article, "minutes": 3, "picture": None}] * 2,
        },
        "logo": None,
        "archive_url": f"{BASE}/archive/morning/7",
        "archive_index_url": f"{BASE}/archive/morning",
    }
    claimed = claim(f"{to}@example.org", name, number)
    texts = {"From": mime.on_one_line(publisher), "To": name or "", "Subject": mime.on_one_line(title)}
    assert_same(merged("digest", claimed, **context), plain("digest", claimed, **context), **texts)


@settings(max_examples=25)
@given(text, text, text, st.none() | text, local, numbers)
@example("0", "=?utf-8?q?x?=", "0", "Ana", "ana", 1)
def test_a_merged_confirmation_equals_one_written_alone_and_names_no_reader(letter, publisher, words, name, to, number):
    context = {
        "newsletter": a_newsletter(letter, publisher),
        "fields": ("confirm", "never", "requested_at", "expires_at"),
        "newsletters": [
            {"name": letter, "language": "en", "schedule": None},
            {"name": publisher, "language": "en", "schedule": "At 12:00."},
        ],
        "wording": {"text": words, "language": "de"},
        "entered_on": f"{BASE}/n/morning",
    }
    claimed = claim(f"{to}@example.org", name, number)
    source = merged("confirmation", claimed, **context)
    subject = f"Please confirm: {ENGLISH.listed([letter, publisher])}"
    texts = {"From": mime.on_one_line(publisher), "To": "", "Subject": mime.on_one_line(subject)}
    assert_same(source, plain("confirmation", claimed, **context), **texts)
    assert parsed(source)["To"] == claimed.address


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - it is UTC
@example(datetime(2000, 12, 29, tzinfo=UTC))  # expires in the old year on Noronha, two hours behind UTC
def test_the_times_of_a_confirmation_include_the_year_of_expiry(asked_at):
    times = words.confirmation_times(asked_at, asked_at, "America/Noronha", language=ENGLISH)
    assert set(times) == {"requested_at", "expires_at"}
    expires_at = (asked_at + LINK_LIFETIME).astimezone(ZoneInfo("America/Noronha"))
    assert str(expires_at.year) in times["expires_at"]
