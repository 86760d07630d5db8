"""The SMTP postman against a relay that does as the test says, and against Postfix's own sink."""

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from newsletter.mail.letters import merge, mime
from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, TransportProblem
from newsletter.relays import Relay
from tests.smtp_server import CLOSE, SILENCE, ScriptedServer, late
from tests.waiting import eventually

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome
HURRY = Timeouts(command=1, verdict=1)  # where somebody is silent; less is not enough for a busy machine
ANN, BOB, CLEO = "ann@example.org", "bob@example.org", "cleo@example.org"


def a_parcel(delivery: int, recipient: str, **changes) -> Message:
    body = [b"Subject: Hello\r\n\r\nHello\r\n"]
    message = Message(delivery, 1, f"b-{delivery}@bounces.example", recipient, body, time.monotonic() + 60)
    return message._replace(**changes)


@contextmanager
def a_postman(
    server: ScriptedServer, *, tls: ssl.SSLContext | None = None, patience: Timeouts | None = None, **of_relay
) -> Iterator[SmtpTransport]:
    """One who goes one way at a time, so that letters arrive in their order."""
    relay = Relay(**{"host": server.host, "port": server.port, "connections": 1, **of_relay})
    transport = SmtpTransport(relay, ehlo_name="news.example", tls=tls, patience=patience)
    try:
        yield transport
    finally:
        transport.close()


def carry(server: ScriptedServer, *recipients: str, **of_postman) -> list[Result]:
    with a_postman(server, **of_postman) as transport:
        return carry_with(transport, *recipients)


def carry_with(transport: SmtpTransport, *recipients: str) -> list[Result]:
    reports: list[Result] = []
    messages = [a_parcel(delivery, recipient) for delivery, recipient in enumerate(recipients, 1)]
    transport.carry(iter(messages), reports.append, stop=lambda: False)
    return reports


def trouble(server: ScriptedServer, *, tls: ssl.SSLContext | None = None, **of_relay) -> TransportProblem:
    """What keeps letters from leaving, where none is pulled."""
    with a_postman(server, tls=tls, **of_relay) as transport:
        messages = iter([a_parcel(1, ANN)])
        transport.carry(messages, pytest.fail, stop=lambda: False)
        assert len(list(messages)) == 1, "it is still the caller's"
        found = transport.trouble()
        assert found
        return found


def fates(reports: list[Result]) -> list[Outcome]:
    return [report.outcome for report in reports]


@pytest.mark.parametrize(
    ("step", "answer", "outcome", "status"),
    [
        # nobody has heard of the reader yet: whatever it is, it is not about the reader
        ("MAIL", "450 4.7.1 slow down", LATER, "4.7.1"),
        ("MAIL", "550 5.7.1 you are on a list", LATER, "5.7.1"),
        ("MAIL", "550 5.1.8 sender domain does not exist", LATER, "5.1.8"),
        ("MAIL", "530 5.7.0 authentication required", LATER, "5.7.0"),
        ("MAIL", "552 5.3.4 too big", LATER, "5.3.4"),
        ("MAIL", "553 bad sender", LATER, None),
        # the reader does not exist, or not any more
        ("RCPT", "550 5.1.1 user unknown", REFUSED, "5.1.1"),
        ("RCPT", "550 5.1.10 null MX", REFUSED, "5.1.10"),
        ("RCPT", "550 5.2.1 mailbox disabled", REFUSED, "5.2.1"),
        ("RCPT", "550 5.0.0 no", REFUSED, "5.0.0"),
        ("RCPT", "553 5.6.7 no UTF-8 here", REFUSED, "5.6.7"),
        ("RCPT", "550 no such user", REFUSED, None),
        ("RCPT", "551 moved away", REFUSED, None),
        ("RCPT", "553 mailbox name not allowed", REFUSED, None),
        ("RCPT", "556 domain takes no mail", REFUSED, None),
        # the reader exists, but not now
        ("RCPT", "450 4.2.0 greylisted", LATER, "4.2.0"),
        ("RCPT", "451 try again", LATER, None),
        ("RCPT", "452 4.2.2 mailbox full", LATER, "4.2.2"),
        ("RCPT", "552 5.2.2 mailbox full", LATER, "5.2.2"),
        ("RCPT", "552 mailbox full", LATER, None),
        ("RCPT", "550 5.4.4 no route", LATER, "5.4.4"),
        # it is about us
        ("RCPT", "550 5.7.26 unauthenticated", LATER, "5.7.26"),
        ("RCPT", "554 5.7.1 relay access denied", LATER, "5.7.1"),
        ("RCPT", "550 5.1.8 bad sender", LATER, "5.1.8"),
        ("RCPT", "503 5.5.1 out of step", LATER, "5.5.1"),
        ("RCPT", "501 syntax", LATER, None),
        ("DATA", "451 4.3.0 no space", LATER, "4.3.0"),
        ("DATA", "554 5.5.1 no valid recipients", LATER, "5.5.1"),
        ("DOT", "451 4.3.2 not now", LATER, "4.3.2"),
        ("DOT", "550 5.7.515 access denied, sending domain", LATER, "5.7.515"),
        ("DOT", "554 5.6.0 content", LATER, "5.6.0"),
        ("DOT", "552 5.3.4 too big", LATER, "5.3.4"),
        ("DOT", "550 5.1.1 user unknown after all", REFUSED, "5.1.1"),
        ("DOT", "554 transaction failed", LATER, None),
    ],
)
def test_a_refusal_is_judged_by_its_step_code_and_cause(step, answer, outcome, status):
    with ScriptedServer({step: [answer]}) as server:
        reports = carry(server, ANN, BOB)
    assert fates(reports) == [outcome, TAKEN]
    assert reports[0].reply == Reply(int(answer[:3]), status, re.sub(r"^\d+ (\d\.\d+\.\d+ )?", "", answer))
    assert [letter.recipients for letter in server.letters] == [(BOB,)]
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
def test_after_a_refusal_the_next_letter_begins_with_rset_and_leaves_under_its_own_sender(step):
    with ScriptedServer({step: ["550 5.1.1 no"]}) as server:
        carry(server, ANN, BOB, CLEO)
    starts = [command for command in server.commands if command == "RSET" or command.startswith("MAIL")]
    assert [start.split(" SIZE")[0] for start in starts] == [
        "MAIL FROM:<b-1@bounces.example>",
        "RSET",
        "MAIL FROM:<b-2@bounces.example>",
        "MAIL FROM:<b-3@bounces.example>",
    ]
    assert [letter.sender for letter in server.letters] == ["b-2@bounces.example", "b-3@bounces.example"]


def test_taken_is_what_the_relay_answers_for():
    with ScriptedServer() as server:
        (report,) = carry(server, ANN)
    assert (report.outcome, report.reply) == (TAKEN, Reply(250, "2.0.0", "taken"))
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, "garbage"])
def test_no_answer_to_the_final_dot_leaves_doubt(answer):
    with ScriptedServer({"DOT": [answer]}) as server:
        reports = carry(server, ANN, patience=HURRY)
    assert fates(reports) == [IN_DOUBT]
    assert reports[0].reply.code is None


def test_after_a_doubt_the_next_letters_go_over_a_new_connection():
    with ScriptedServer({"DOT": ["250 2.0.0 ok", CLOSE]}) as server:
        reports = carry(server, ANN, BOB, CLEO, ANN)
    assert fates(reports) == [TAKEN, IN_DOUBT, UNTOUCHED, TAKEN], (
        "the third envelope was in the group of the second dot"
    )
    assert server.connections == 2


@pytest.mark.parametrize("step", ["RCPT", "DATA", "CONTENT"])
def test_a_connection_lost_before_the_final_dot_means_later(step):
    body = [b"Subject: Hello\r\n\r\n" + b"x" * 70 + b"\r\n" * 5_000_000]  # more than the sockets on the way hold
    with ScriptedServer({step: [CLOSE]}) as server:
        reports: list[Result] = []
        with a_postman(server) as transport:
            transport.carry(iter([a_parcel(1, ANN, body=body)]), reports.append, stop=lambda: False)
    assert fates(reports) == [LATER]
    assert reports[0].reply.code is None


@pytest.mark.parametrize("answer", [CLOSE, SILENCE, "garbage"])
def test_a_relay_that_hangs_up_between_letters_leaves_the_next_one_untouched(answer):
    with ScriptedServer({"MAIL": ["250 ok", answer]}) as server:
        reports = carry(server, ANN, BOB, CLEO, patience=HURRY)
    assert fates(reports) == [TAKEN, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_a_relay_that_hangs_up_at_its_first_letter_is_not_tried_for_each():
    with ScriptedServer(always={"MAIL": CLOSE}) as server:
        reports = carry(server, ANN, BOB, CLEO)
    assert fates(reports) == [LATER]
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
def test_421_is_for_this_letter_and_the_next_goes_over_a_new_connection(step):
    usual = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "DOT": "250 ok"}[step]
    with ScriptedServer({step: [usual, "421 4.7.0 too many letters"]}) as server:
        reports = carry(server, ANN, BOB, CLEO, ANN)
    # To MAIL it speaks of the connection, for it has heard of no reader; at the dot the next envelope is said already,
    # and was not looked at.
    assert fates(reports) == [
        TAKEN,
        UNTOUCHED if step == "MAIL" else LATER,
        UNTOUCHED if step == "DOT" else TAKEN,
        TAKEN,
    ]
    assert reports[1].reply == Reply(421, "4.7.0", "too many letters")
    assert server.connections == 2


def test_503_to_mail_leaves_the_letter_untouched_and_closes():
    with ScriptedServer({"MAIL": ["250 ok", "503 5.5.1 nested MAIL command"]}) as server:
        reports = carry(server, ANN, BOB, CLEO)
    assert fates(reports) == [TAKEN, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_a_relay_that_cannot_forget_is_left():
    with ScriptedServer({"RCPT": ["550 5.1.1 no"], "RSET": ["500 what?"]}) as server:
        reports = carry(server, ANN, BOB, CLEO)
    assert fates(reports) == [REFUSED, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_after_eight_refusals_in_a_row_a_new_connection_is_made():
    nobody = [f"nobody-{number}@example.org" for number in range(20)]
    with ScriptedServer(refused=dict.fromkeys(nobody, "550 5.1.1 user unknown")) as server:
        reports = carry(server, *nobody, ANN)
    assert fates(reports) == [REFUSED] * 20 + [TAKEN]
    assert server.connections == 3


def test_a_letter_that_was_taken_ends_the_row_of_refusals():
    nobody = [f"nobody-{number}@example.org" for number in range(7)]
    with ScriptedServer(refused=dict.fromkeys(nobody, "550 5.1.1 user unknown")) as server:
        carry(server, *nobody, ANN, *nobody, BOB)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("script", "says", "lasting"),
    [
        (
            {"GREETING": ["554 5.7.1 you are on a list"]},
            "the relay does not let us in: 554 5.7.1 you are on a list",
            True,
        ),
        ({"GREETING": ["421 4.3.2 busy"]}, "the relay does not let us in: 421 4.3.2 busy", False),
        ({"GREETING": ["garbage"]}, "the relay does not let us in: the relay's reply is none", False),
        ({"GREETING": [CLOSE]}, "the relay closed the connection", False),
        ({"EHLO": ["451 4.3.2 later"]}, "the relay refuses our greeting: 451 4.3.2 later", False),
        ({"EHLO": ["550 5.7.1 no"], "HELO": ["550 5.7.1 no"]}, "the relay refuses our greeting: 550 5.7.1 no", True),
    ],
)
def test_a_relay_that_does_not_let_us_in_is_trouble_and_no_letters_fault(script, says, lasting):
    with ScriptedServer(script) as server:
        assert trouble(server) == TransportProblem(f"the relay 127.0.0.1:{server.port}", says, lasting)


def test_where_nobody_listens_no_letter_is_pulled():
    with ScriptedServer() as server:
        pass
    assert trouble(server) == TransportProblem(
        f"the relay 127.0.0.1:{server.port}", "Connection refused", lasting=False
    )


def test_a_relay_that_comes_back_is_found_again():
    with ScriptedServer({"GREETING": ["421 busy"]}) as server, a_postman(server) as transport:
        assert carry_with(transport, ANN) == []
        assert transport.trouble()
        eventually(lambda: fates(carry_with(transport, ANN)) == [TAKEN])
        assert transport.trouble() is None
        assert server.connections == 2


def test_while_the_relay_dawdles_no_letter_grows_old():
    with ScriptedServer({"GREETING": [late("220 at last", 0.2)]}) as server, a_postman(server) as transport:
        reports: list[Result] = []
        begun_in_time = (a_parcel(1, ANN, begin_by=time.monotonic() + 0.1) for _ in range(1))
        transport.carry(begun_in_time, reports.append, stop=lambda: False)
    assert fates(reports) == [TAKEN]


def test_the_relays_rate_is_kept_between_letters():
    begun = time.monotonic()
    with ScriptedServer() as server:
        reports = carry(server, ANN, BOB, CLEO, rate=20)
    assert fates(reports) == [TAKEN] * 3
    assert time.monotonic() - begun >= 0.1


def test_waiting_for_the_rate_heeds_stop():
    begun = time.monotonic()
    with ScriptedServer() as server, a_postman(server, rate=0.01) as transport:
        reports: list[Result] = []
        messages = iter([a_parcel(1, ANN), a_parcel(2, BOB)])
        transport.carry(messages, reports.append, stop=lambda: bool(reports))
    assert len(reports) == len(list(messages)) == 1
    assert time.monotonic() - begun < 60


def test_addresses_in_replies_are_replaced():
    answer = (
        f"550 5.1.1 <{ANN}>: no {ANN.upper()}, see https://relay.test/why?to=ann%40example.org (b-1@bounces.example)"
    )
    with ScriptedServer({"RCPT": [answer]}) as server:
        (report,) = carry(server, ANN)
    assert report.reply.text == "<address>: no <address>, see https:<address> (<address>)"


def test_a_reply_of_several_lines_is_one_text_without_its_codes():
    reply = replies.heard(550, b"5.1.1 The account does\n5.1.1 not exist.\r\x00\n5.1.1  Bye")
    assert reply == Reply(550, "5.1.1", "The account does not exist. Bye")


def test_an_endless_reply_is_cut():
    assert len(replies.heard(550, b"x" * 100_000).text) == replies.KEPT


def test_the_size_is_announced_where_the_relay_wants_to_know():
    with ScriptedServer(offers=["SIZE 1000"]) as server:
        carry(server, ANN)
        server.offers = ["PIPELINING"]
        carry(server, ANN)
    assert [letter.options for letter in server.letters] == [f"SIZE={len(server.letters[0].body)}", ""]


def test_an_address_outside_ascii_goes_to_relays_with_smtputf8_only():
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        assert fates(carry(server, "用户@example.org", ANN)) == [TAKEN, TAKEN]
    assert [letter.recipients for letter in server.letters] == [("用户@example.org",), (ANN,)]
    assert [letter.options for letter in server.letters] == ["BODY=8BITMIME SMTPUTF8", ""]
    with ScriptedServer(offers=["8BITMIME"]) as server:
        reports = carry(server, "用户@example.org", ANN)
    assert fates(reports) == [REFUSED, TAKEN]
    assert reports[0].reply.status == "5.6.7"
    assert len(server.letters) == 1


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate / "certificate")


@pytest.fixture
def tls_server(theirs: ssl.SSLContext) -> Iterator[ScriptedServer]:
    offers = ["STARTTLS", "PIPELINING"]
    with ScriptedServer(tls=theirs, offers=offers, offers_after_tls=["AUTH PLAIN LOGIN", "SIZE"]) as server:
        yield server


LOGIN = {"host": "localhost", "user": "news", "password": "open sesame"}


def test_starttls_is_used_where_it_is_offered(tls_server, trusting):
    assert fates(carry(tls_server, ANN, host="localhost", tls=trusting)) == [TAKEN]
    names = [command.split(" ")[0] for command in tls_server.commands]
    assert names == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def test_with_a_password_we_log_in_after_starttls(tls_server, trusting):
    assert fates(carry(tls_server, ANN, tls=trusting, **LOGIN)) == [TAKEN]
    assert [command.split(" ")[0] for command in tls_server.commands][:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


def test_a_password_never_travels_in_the_clear():
    with ScriptedServer(offers=["AUTH PLAIN LOGIN"]) as server:
        found = trouble(server, **LOGIN)
    assert found.lasting
    assert "STARTTLS" in found.says
    assert not any(command.startswith("AUTH") for command in server.commands)


ELSEWHERE = "127.1"  # by what is written a name like any other, though the resolver leads it to this machine


@pytest.mark.parametrize("login", [{}, {"user": "news", "password": "open sesame"}])
def test_a_certificate_that_proves_nothing_is_not_accepted(tls_server, login):
    found = trouble(tls_server, host=ELSEWHERE, **login)
    assert found.lasting
    assert found.says.startswith("its certificate does not verify: ")
    assert tls_server.letters == []


@pytest.mark.parametrize("of_relay", [{"host": "localhost"}, {"host": "127.0.0.1"}, LOGIN])
def test_a_relay_on_this_machine_is_taken_at_its_word(tls_server, of_relay):
    assert fates(carry(tls_server, ANN, **of_relay)) == [TAKEN]
    assert "STARTTLS" in tls_server.commands, "it is encrypted all the same"


def test_a_certificate_of_another_host_is_not_accepted(tls_server, trusting):
    assert "certificate" in trouble(tls_server, host="127.0.0.1", tls=trusting).says


def test_smtps_is_encrypted_from_the_start(theirs, trusting):
    with ScriptedServer(tls=theirs, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        assert fates(carry(server, ANN, BOB, scheme="smtps", tls=trusting, **LOGIN)) == [TAKEN, TAKEN]
        assert fates(carry(server, ANN, scheme="smtps", **LOGIN)) == [TAKEN]
        assert trouble(server, scheme="smtps", **LOGIN | {"host": ELSEWHERE}).lasting


def test_a_wrong_password_is_lasting_trouble_and_told_without_an_address(theirs, trusting):
    always = {"AUTH": "535 5.7.8 authentication failed for news@example.org"}
    with ScriptedServer(always=always, tls=theirs, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        found = trouble(server, scheme="smtps", tls=trusting, **LOGIN)
    assert found.says == "the relay refuses our login: 535 5.7.8 authentication failed for <address>"
    assert found.lasting


def test_a_login_that_cannot_be_checked_now_may_be_later(theirs, trusting):
    always = {"AUTH": "454 4.7.0 temporary authentication failure"}
    with ScriptedServer(always=always, tls=theirs, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        assert not trouble(server, scheme="smtps", tls=trusting, **LOGIN).lasting


@pytest.mark.parametrize("offers", [["AUTH GSSAPI"], ["PIPELINING"]])
def test_a_relay_that_offers_no_login_we_know_is_lasting_trouble(theirs, trusting, offers):
    with ScriptedServer(tls=theirs, tls_from_start=True, offers=offers) as server:
        assert trouble(server, scheme="smtps", tls=trusting, **LOGIN).lasting


def test_a_real_server_takes_merged_letters_as_they_are(smtp_sink):
    message = mime.letter(
        {"From": mime.mailbox("Café «Nord»", "editor@news.example"), "To": merge.marker("to"), "Subject": "Grüße"},
        text=f"Hello {merge.marker('name')}\n.\nFrom here on\n",
        html=f"<p>Hello {merge.marker('name')}\n.\n",
    )
    sheet = merge.lay_out(message, ["to", "name"])
    names = {f"reader-{number}@example.org": f". Zoë {number} " for number in range(20)}
    messages = [
        a_parcel(number, to, body=sheet.fill({"to": to, "name": name}))
        for number, (to, name) in enumerate(names.items())
    ]
    reports: list[Result] = []
    transport = SmtpTransport(Relay.parse(smtp_sink.url), ehlo_name="news.example")
    transport.carry(iter(messages), reports.append, stop=lambda: False)
    transport.close()
    assert fates(reports) == [TAKEN] * 20
    letters = {letter.recipients[0]: letter for letter in smtp_sink.letters()}
    assert letters.keys() == names.keys()
    for message in messages:
        letter = letters[message.recipient]
        assert letter.sender == message.sender
        assert letter.source.replace(b"\n", b"\r\n") == b"".join(message.body)
        text = BytesParser(policy=policy.default).parsebytes(letter.source).get_body(("plain",))
        assert text.get_content().startswith(f"Hello {names[message.recipient]}\n.\nFrom here on\n")
