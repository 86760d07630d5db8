"""A claimed delivery becomes the bytes of one reader's letter, the same every time and different from all others."""

import re
import string
import time
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.consent.signups import renewals
from newsletter.consent.signups.renewals import FormerSignup
from newsletter.keys import Keyring
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.links import Links, Purpose
from newsletter.mail.delivery.assembly import Assembler, FieldWriter
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters import merge, mime
from newsletter.mail.letters.letters import Variant
from newsletter.mail.letters.merge import FieldError, Sheet, marker
from newsletter.mail.transport import return_paths
from newsletter.mail.transport.transport import Message
from tests.builders import KEYRING, a_sheet
from tests.clock import NOON

BASE = "https://letters.example.org"
BY = time.monotonic()


def claimed(**options) -> Claimed:
    facts = {
        "delivery": 7,
        "attempt": 1,
        "variant": 1,
        "address": "ana@example.org",
        "first_tried_at": NOON,
        "key_id": "k1",
        "newsletter": 3,
        "sender": "letters@press.example",
        "return_path_domain": None,
        "zone": "UTC",
        "subscriber": 11,
        "signup": None,
        "nonce": None,
        "received_at": None,
        "asked_at": None,
        "name": None,
        **options,
    }
    return Claimed(**facts)


def stored(sheet: Sheet) -> Variant:
    """Return a sheet as the database returns it, where cuts are JSON."""
    cuts = [list(cut) for cut in sheet.cuts]
    return Variant(letter_id=1, language="en", design="standard", sha256=sheet.sha256, body=sheet.body, cuts=cuts)


SHEET = stored(a_sheet())


def assembler(keyring: Keyring = KEYRING, base_url: str = BASE) -> Assembler:
    return Assembler(Links(keyring, base_url), keyring)


def assemble(variant: Variant = SHEET, *, by: Assembler | None = None, **options) -> Message:
    return (by or assembler()).assemble(claimed(**options), variant, begin_by=BY)


def source(message: Message) -> bytes:
    return b"".join(message.body)


def letter(message: Message) -> EmailMessage:
    return message_from_bytes(source(message), policy=policy.default)


def part(message: Message, subtype: str) -> str:
    found = letter(message).get_body((subtype,))
    assert found
    return found.get_content()


def test_the_same_delivery_has_the_same_bytes_every_time():
    first = assemble()
    assert assemble(attempt=2) == first._replace(attempt=2)
    restarted = assembler(Keyring([("k1", "s" * 40)]))
    assert assemble(stored(a_sheet()), by=restarted) == first
    rotated = assembler(Keyring([("k2", "t" * 40), ("k1", "s" * 40)]))
    assert assemble(by=rotated) == first
    assert source(assemble(by=rotated, key_id="k2")) != source(first), "the key is part of the letter"


def test_a_letter_names_its_recipient_and_the_time_of_its_first_attempt():
    message = assemble(first_tried_at=datetime(2026, 3, 14, 12, 0, 9, 987654, tzinfo=UTC))
    assert (message.delivery, message.attempt, message.begin_by) == (7, 1, BY)
    assert (message.sender, message.recipient) == ("letters@press.example", "ana@example.org")
    assert letter(message)["To"] == "ana@example.org"
    assert letter(message)["Date"] == "Sat, 14 Mar 2026 12:00:09 +0000"


def test_a_message_id_is_unique():
    same = letter(assemble())["Message-ID"]
    assert same.endswith("@press.example>")
    assert letter(assemble(attempt=3))["Message-ID"] == same
    others = [
        assemble(delivery=8),
        assemble(first_tried_at=NOON + timedelta(microseconds=1)),  # delivery 7 of a database made anew after a loss
        assemble(by=assembler(Keyring([("k1", "u" * 40)]))),
    ]
    assert len({same, *(letter(other)["Message-ID"] for other in others)}) == 4


def test_a_bounce_goes_to_an_address_of_the_delivery_if_the_newsletter_has_a_return_path_domain():
    message = assemble(return_path_domain="bounces.press.example")
    assert message.sender == return_paths.maker(KEYRING, key="k1")(7, NOON, "bounces.press.example")
    assert source(message) == source(assemble()), "readers still see the newsletter's address"
    rotated = assembler(Keyring([("k2", "t" * 40), ("k1", "s" * 40)]))
    assert assemble(attempt=2, by=rotated, return_path_domain="bounces.press.example").sender == message.sender
    assert assemble(delivery=8, return_path_domain="bounces.press.example").sender != message.sender


@pytest.mark.parametrize("length", [25, 70, 100, 200, 340])
def test_the_unsubscribe_link_is_in_the_header_unfolded_however_long_it_is(length):
    base = "https://letters.example.org/".ljust(length, "x")
    url = Links(KEYRING, base).url(Purpose.UNSUBSCRIBE, 11, 3, key="k1")
    raw = source(assemble(by=assembler(base_url=base)))
    header = [line for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    assert header == [f"List-Unsubscribe: <{url}>".encode()]
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_a_link_too_long_for_a_header_is_refused():
    with pytest.raises(FieldError, match="unsubscribe"):
        assemble(by=assembler(base_url="https://letters.example.org/".ljust(400, "x")))


@pytest.mark.parametrize(
    ("stored", "envelope"),
    [
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@faß.de", "ana@xn--fa-hia.de"),  # the standard library would write to fass.de, another domain
        ("ANA+news@example.org", "ANA+news@example.org"),
    ],
)
def test_the_envelope_has_the_domain_as_a_labels_and_the_local_part_unchanged(stored, envelope):
    message = assemble(address=stored)
    assert message.recipient == envelope
    assert letter(message)["To"] == envelope


@pytest.mark.parametrize(
    "address",
    [
        "ana",
        "ana@",
        "ana@example.org, bob@example.org",
        "ana@example.org\r\nBcc: bob@example.org",
        "ana\x00@example.org",
        "=?utf-8?q?ana?=@example.org",
        "ana@exa mple.org",
        "ana@\u2024.example",
        "",
    ],
)
def test_an_invalid_address_is_refused_without_quoting_it(address):
    with pytest.raises(FieldError) as refused:
        assemble(address=address)
    assert "ana" not in str(refused.value)
    assert "to" in str(refused.value).split()


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        (None, "Dear reader,"),
        ("", "Dear reader,"),
        ("Ana", "Dear Ana,"),
        ("Ána {{ 7*7 }} <b>", "Dear Ána {{ 7*7 }} <b>,"),
        pytest.param(marker("unsubscribe"), f"Dear {marker('unsubscribe')},", id="a marker of a field"),
        ("x" * 2000, f"Dear {'x' * 2000},"),
        ("مريم", "Dear مريم,"),  # as releases without languages wrote it: a repeat has the same bytes
        (" Ana\n\tde\u2028Souza ", "Dear Ana de Souza,"),
    ],
)
def test_a_reader_is_greeted_by_name(name, greeting):
    message = assemble(name=name)
    assert part(message, "plain").splitlines()[0] == greeting
    assert "<b>" not in part(message, "html")


NAMED = stored(merge.lay_out(mime.letter({"To": marker("mailbox")}, text="", html=""), {"mailbox"}))
names = st.text(max_size=200).map(lambda name: mime.CONTROLS.sub("", name)).filter(str.strip)
odd_names = [
    "Smith, Jo",
    '"Jo" <x@y.example>',
    ".",
    "From me",
    "=?utf-8?q?x?=",
    "张伟" * 100,
    "مريم",
    "e\u0301" * 90,
    "👩‍🚀" * 40,
]


@given(names | st.sampled_from(odd_names) | st.text('aé ",<>@\\=?_', min_size=1, max_size=200).filter(str.strip))
def test_a_mail_program_shows_the_stored_name_in_to(name):
    message = assemble(NAMED, name=name, address="ana@example.org")
    shown = " ".join(name.split())
    (to,) = letter(message)["To"].addresses
    # Python 3.11's new parser adds spaces between the encoded words of a name; the old one, below, is exact.
    assert ("".join(to.display_name.split()), to.addr_spec) == ("".join(name.split()), "ana@example.org")
    header = re.search(rb"^To:((?:.|\r\n )+)\r\n", source(message), re.MULTILINE)[1].decode("ascii")
    phrase, address = parseaddr(header.replace("\r\n ", " "))
    assert (str(make_header(decode_header(phrase))) if "=?" in phrase else phrase, address) == (
        shown,
        "ana@example.org",
    )
    assert all(len(line) <= 76 for line in header.split("\r\n"))
    for word in re.findall(r"=\?utf-8\?[bq]\?[^ ?]*\?=", header):
        assert len(word) <= 75
        decode_header(word)[0][0].decode()  # no character is split


@pytest.mark.parametrize("name", [None, "", "  ", "\n"])
def test_without_a_name_to_contains_the_address_only(name):
    assert b"To: ana@example.org\r\n" in source(assemble(NAMED, name=name))


def test_with_an_address_outside_ascii_to_contains_the_address_only():
    assert "To: zoë@example.org\r\n".encode() in source(assemble(NAMED, name="Zoë", address="zoë@example.org"))


@pytest.mark.parametrize("name", ["A\x00na", "Ana\x07", "Ana\ud83d", "\x9bAna"])
@pytest.mark.parametrize("variant", [NAMED, SHEET])
def test_a_name_that_cannot_be_written_fails_its_letter_and_is_not_quoted(name, variant):
    with pytest.raises(FieldError, match="name") as refused:
        assemble(variant, name=name)
    assert "na" not in str(refused.value).replace("name", "")


def test_links_are_personal_and_signed_with_the_key_of_the_delivery():
    keyring = Keyring([("k2", "t" * 40), ("k1", "s" * 40)])
    links = Links(keyring, BASE)
    message = assemble(by=assembler(keyring), key_id="k2")
    token = letter(message)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert token.startswith("k2.")
    assert links.read(token, Purpose.UNSUBSCRIBE) == (11, 3)


def test_a_confirmation_contains_the_links_of_its_sign_up():
    fields = ("confirm", "never")
    sheet = stored(a_sheet(**{f"X-{name}": marker(name) for name in fields}, fields=fields))
    found = letter(assemble(sheet, signup=5, nonce=99))
    links = Links(KEYRING, BASE)
    for name in fields:
        assert links.read(found[f"X-{name}"].rpartition("/")[2], Purpose(name)) == (5, 99)


LINK = marker("confirm")
CONFIRMATION = stored(merge.lay_out(mime.letter({"To": marker("to")}, text=LINK, html=LINK), {"to", "confirm"}))
local_parts = st.text(string.ascii_letters + string.digits, min_size=1, max_size=64)
domains = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=60), min_size=2, max_size=3).map(".".join)


@given(
    st.builds("{}@{}".format, local_parts, domains),
    st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=4),
    st.none() | st.sampled_from(["de", "pt-BR"]),
    st.integers(1, 2**63 - 1),
)
def test_a_confirmation_is_repeated_in_the_same_bytes_and_its_link_holds_its_sign_up(address, asked_for, tag, signup):
    facts = {"signup": signup, "nonce": 99, "asked_for": asked_for, "signup_language": tag, "received_at": NOON}
    message = assemble(CONFIRMATION, address=address, **facts)
    rotated = assembler(Keyring([("k2", "t" * 40), ("k1", "s" * 40)]))
    assert source(assemble(CONFIRMATION, by=rotated, attempt=2, address=address, **facts)) == source(message)
    assert max(map(len, source(message).partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    url = part(message, "plain").strip()
    assert part(message, "html").strip() == url
    read = Links(KEYRING, BASE).read_with_rest(url.removeprefix(f"{BASE}/confirm/"), Purpose.CONFIRM)
    assert read.ids == (signup, 99)
    assert renewals.read(KEYRING, read) == FormerSignup(address, tuple(asked_for), tag, NOON)


def test_a_part_stands_behind_the_link_that_a_worker_of_the_release_before_writes():
    sheet = stored(a_sheet(**{"X-Link": marker("confirm")}, fields=("confirm",)))
    url = letter(assemble(sheet, signup=5, nonce=99, asked_for=[3], received_at=NOON))["X-Link"]
    link, _, part = url.rpartition(".")
    assert link == Links(KEYRING, BASE).url(Purpose.CONFIRM, 5, 99, key="k1")
    assert part


@pytest.mark.parametrize(
    ("field", "options"),
    [("unsubscribe", {"subscriber": None}), ("confirm", {"signup": 5}), ("never", {})],
)
def test_a_field_without_a_value_is_refused_by_name(field, options):
    sheet = stored(a_sheet(**{"X-Field": marker(field)}, fields=(field,)))
    with pytest.raises(FieldError, match=field):
        assemble(sheet, **options)


def test_a_field_of_a_newer_release_does_not_refuse_the_reader():
    sheet = stored(a_sheet(**{"X-Field": marker("shoe_size")}, fields=("shoe_size",)))
    with pytest.raises(KeyError, match="shoe_size"):
        assemble(sheet)


def test_a_confirmation_says_when_the_sign_up_came_and_when_its_link_expires():
    fields = ("requested_at", "expires_at")
    sheet = stored(a_sheet(**{f"X-{name}": marker(name) for name in fields}, fields=fields))
    found = letter(assemble(sheet, received_at=NOON + timedelta(seconds=7), asked_at=NOON, zone="Asia/Kolkata"))
    assert found["X-requested_at"] == "Saturday 14 March 2026 at 17:30:07 (UTC+5:30)"
    assert found["X-expires_at"] == "Tuesday 17 March 2026 at 17:30 (UTC+5:30)"
    with pytest.raises(FieldError, match="requested_at"):
        assemble(sheet)


def test_a_field_says_its_language_so_that_letters_of_an_earlier_release_stay_english():
    fields = FieldWriter(Links(KEYRING, BASE), KEYRING, "k1").fields
    assert fields["greeting"](claimed(name="Ana")) == b"Dear Ana,"
    assert fields["greeting_in_de"](claimed(name="Ana")) == language("de").text(
        translatable("Dear %(name)s,", name="Ana")
    ).encode("ascii")
    for unknown in ("greeting_in_tlh", "greeting_in_en", "date_in_de", "surname"):
        with pytest.raises(KeyError):
            fields[unknown]
