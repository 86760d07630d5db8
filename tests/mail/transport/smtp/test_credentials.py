"""Neither user nor password of a relay survives in a reply, however the relay spells them."""

import base64
import html
import quopri
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.credentials import hider
from newsletter.mail.transport.smtp.reply_reader import ReplyReader
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.transport import Message, Result
from newsletter.relays import Relay
from tests.smtp_server import ScriptedServer

USER, PASSWORD = "press-desk", "Open/Sesame+42&ü"


def relay(user: str = USER, password: str = PASSWORD) -> Relay:
    return Relay(host="localhost", port=25, user=user, password=password)


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


PLAIN = b64(f"\0{USER}\0{PASSWORD}".encode())
SPELLINGS = {
    "plain": lambda text: text,
    "upper case": str.upper,
    "base64": lambda text: b64(text.encode()),
    "base64 without padding": lambda text: b64(text.encode()).rstrip("="),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, percent-encoded": lambda text: quote(b64(text.encode()), safe=""),
    "inside base64, shifted by one": lambda text: b64(b"x" + text.encode() + b"yy"),
    "inside base64, shifted by two": lambda text: b64(b"xx" + text.encode() + b"y"),
    "inside base64, behind a long text": lambda text: b64(b"login=" + text.encode() + b";from=192.0.2.1"),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded throughout": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex(" ").upper(),
    "hexadecimal as a list": lambda text: text.encode().hex(",").replace(",", ",0x"),
    "hexadecimal with prefixes": lambda text: "".join(f"\\x{octet:02x}" for octet in text.encode()),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode(),
    "xtext": lambda text: "".join(
        chr(c) if 32 < c < 127 and chr(c) not in "+=" else f"+{c:02X}" for c in text.encode()
    ),
    "HTML": html.escape,
    "HTML by number": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "octal": lambda text: "".join(chr(c) if 32 < c < 127 else f"\\{c:03o}" for c in text.encode()),
    "backslashes": lambda text: "".join(f"\\{each}" if not each.isalnum() else each for each in text),
    "quoted": lambda text: f'"{text}"',
}


def stored(text: str, of: Relay) -> str:
    """Return how a refusal with this text is stored."""
    lines = text.encode().split(b"\n")
    received = b"".join(
        b"535%b5.7.8 %b\r\n" % (b"-" if n < len(lines) else b" ", line) for n, line in enumerate(lines, 1)
    )
    ((reply, _),) = ReplyReader(hider(of)).feed(received)
    return reply.text


@pytest.mark.parametrize("secret", [USER, PASSWORD])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_credential_is_replaced_in_every_spelling(spelling, secret):
    written = SPELLINGS[spelling](secret)
    text = stored(f"login {written} refused", relay())
    assert text in ("login <credential> refused", 'login "<credential>" refused')


@pytest.mark.parametrize("spelling", ["plain", "base64 without padding", "hexadecimal", "percent-encoded"])
@pytest.mark.parametrize("secret", [USER, PASSWORD])
def test_a_credential_is_replaced_wherever_it_is_cut_by_a_line_break(spelling, secret):
    written = SPELLINGS[spelling](secret)
    for at in range(1, len(written)):
        if "%" not in written[at - 2 : at + 1]:  # no server cuts an octet in two
            assert stored(f"login {written[:at]}\n{written[at:]} refused", relay()) == "login <credential> refused", at


def test_the_whole_of_auth_plain_is_replaced_also_if_it_is_cut():
    assert stored(f"bad: AUTH PLAIN {PLAIN}", relay()) == "bad: AUTH PLAIN <credential>"
    for width in (8, 12, 20):
        cut = "\n".join(PLAIN[at : at + width] for at in range(0, len(PLAIN), width))
        left = stored(f"bad: {cut}", relay()).removeprefix("bad:").replace("<credential>", "").split()
        assert sum(map(len, left)) <= 8, left  # the ends of pieces whose bits belong to no whole character


@pytest.mark.parametrize(("user", "password"), [("me", "pw"), ("press", "x"), ("a", "a long word or two")])
def test_short_credentials_go_with_the_whole_of_auth_plain_also_if_its_end_is_cut_off(user, password):
    plain = b64(f"\0{user}\0{password}".encode())
    hide = hider(relay(user, password))
    for end in range(8, len(plain) + 1):
        assert hide(f"bad: {plain[:end]}") == "bad: <credential>"


@settings(max_examples=25)
@given(
    user=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="@"), min_size=3, max_size=20),
    password=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=3, max_size=30),
    spelling=st.sampled_from(["plain", "base64", "base64url", "percent-encoded throughout", "hexadecimal"]),
)
def test_any_credential_is_replaced(user, password, spelling):
    hide = hider(relay(user, password))
    for secret in (user, password):
        text = hide(f"login: {SPELLINGS[spelling](secret)} (refused)")
        assert "<credential>" in text
        assert secret not in text.replace("<credential>", "").replace("login: ", "").replace("(refused)", "")


def test_what_contains_no_credential_stays():
    for text in (
        "2.0.0 Ok: queued as 4FxY7z1abcd",
        "User unknown in virtual mailbox table",
        "an impressive-deskilling",
    ):
        assert hider(relay("ann", "pw"))(text) == text
    assert hider(relay("ann", "pw"))("annual pws, Ann and pw") == "annual pws, <credential> and <credential>"
    assert hider(Relay(host="h", port=25))("user None") == "user None"


def test_a_reply_that_quotes_our_login_never_blames_the_recipient():
    """The word that is replaced may have been the one that says that the refusal is about us."""
    reply = replies.parse(550, b"bulk-mail is not permitted", hide=hider(relay("bulk-mail", PASSWORD)))
    assert reply.text == "<credential> is not permitted"
    assert replies.refusal_cause(reply) is replies.RefusalCause.POLICY


@pytest.mark.parametrize("step", ["AUTH", "MAIL", "RCPT", "DATA", "DOT"])
def test_no_result_no_problem_and_no_log_line_contains_a_credential(step, caplog):
    quoted = f"{USER} {PASSWORD} {PLAIN} {b64(PASSWORD.encode())}"
    reply = f"550-5.7.1 we do not like {quoted}\r\n550 5.7.1 nor {PLAIN[:20]}\r\n550 5.7.1 {PLAIN[20:]}"
    reply = reply.replace("550 5.7.1 nor", "550-5.7.1 nor")
    with ScriptedServer(always={step: reply}, offers=["AUTH PLAIN", "PIPELINING"]) as server:
        place = Relay(host=server.host, port=server.port, user=USER, password=PASSWORD)
        transport = SmtpTransport(place, ehlo_name="news.example", connections=1)
        results: list[Result] = []
        message = Message(1, 1, "b@press.example", "ann@example.org", [b"Subject: x\r\n\r\nx\r\n"], float("inf"))
        transport.send(iter([message]), results.append, stop=lambda: False)
        transport.close()
    said = f"{[each.reply for each in results]} {transport.problems()} {caplog.text}"
    assert "we do not like" in said
    for secret in (USER, PASSWORD, PLAIN, PLAIN[:20], PLAIN[20:], b64(PASSWORD.encode()).rstrip("=")):
        assert secret not in said


@pytest.mark.parametrize(
    "spelling", ["plain", "base64 without padding", "base64url", "hexadecimal", "inside base64, shifted by one"]
)
def test_a_password_that_the_server_has_cut_short_is_replaced_from_its_eighth_character_on(spelling):
    written = SPELLINGS[spelling](PASSWORD)
    begin = len(SPELLINGS[spelling](PASSWORD[:8]).rstrip("="))
    for end in range(begin + 2, len(written)):
        assert stored(f"login {written[:end]}... refused", relay()) == "login <credential>... refused", end
