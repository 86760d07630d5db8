"""The SMTP transport with a scripted relay, and with Postfix's smtp-sink."""

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from newsletter.errors import Misconfigured
from newsletter.mail.letters import merge, mime
from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, TransportProblem
from newsletter.relays import Relay, TlsPolicy
from tests.smtp_server import CLOSE, SILENCE, ScriptedServer, late
from tests.waiting import eventually

TAKEN, REFUSED, LATER, IN_DOUBT, UNTOUCHED = Outcome
SHORT_TIMEOUTS = Timeouts(command=3, final_dot=1)  # for silent relays; less is not enough on a busy machine
ANN, BOB, CLEO = "ann@example.org", "bob@example.org", "cleo@example.org"


def a_message(delivery: int, recipient: str, **changes) -> Message:
    body = [b"Subject: Hello\r\n\r\nHello\r\n"]
    message = Message(delivery, 1, f"b-{delivery}@bounces.example", recipient, body, time.monotonic() + 60)
    return message._replace(**changes)


@contextmanager
def a_transport(
    server: ScriptedServer, *, tls: ssl.SSLContext | None = None, timeouts: Timeouts | None = None, **of_relay
) -> Iterator[SmtpTransport]:
    """A transport with one connection, so that letters arrive in order."""
    relay = Relay(**{"host": server.host, "port": server.port, "connections": 1, **of_relay})
    transport = SmtpTransport(relay, ehlo_name="news.example", tls=tls, timeouts=timeouts)
    try:
        yield transport
    finally:
        transport.close()


def send(server: ScriptedServer, *recipients: str, **options) -> list[Result]:
    with a_transport(server, **options) as transport:
        return send_over(transport, *recipients)


def send_over(transport: SmtpTransport, *recipients: str) -> list[Result]:
    results: list[Result] = []
    messages = [a_message(delivery, recipient) for delivery, recipient in enumerate(recipients, 1)]
    transport.send(iter(messages), results.append, stop=lambda: False)
    return results


def problem_of(server: ScriptedServer, *, tls: ssl.SSLContext | None = None, **of_relay) -> TransportProblem:
    """Return the problem that blocks a transport, which takes no message."""
    with a_transport(server, tls=tls, **of_relay) as transport:
        messages = iter([a_message(1, ANN)])
        transport.send(messages, pytest.fail, stop=lambda: False)
        assert len(list(messages)) == 1, "it still belongs to the caller"
        problem = transport.blocking_problem()
        assert problem
        return problem


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]


@pytest.mark.parametrize(
    ("step", "reply", "outcome", "status"),
    [
        # the relay does not know the recipient yet, so the refusal cannot be about the recipient
        ("MAIL", "450 4.7.1 slow down", LATER, "4.7.1"),
        ("MAIL", "550 5.7.1 you are on a list", LATER, "5.7.1"),
        ("MAIL", "550 5.1.8 sender domain does not exist", LATER, "5.1.8"),
        ("MAIL", "530 5.7.0 authentication required", LATER, "5.7.0"),
        ("MAIL", "552 5.3.4 too big", LATER, "5.3.4"),
        ("MAIL", "553 bad sender", LATER, None),
        # the mailbox does not exist, or not any more
        ("RCPT", "550 5.1.1 user unknown", REFUSED, "5.1.1"),
        ("RCPT", "550 5.1.10 null MX", REFUSED, "5.1.10"),
        ("RCPT", "550 5.2.1 mailbox disabled", REFUSED, "5.2.1"),
        ("RCPT", "550 5.0.0 no", REFUSED, "5.0.0"),
        ("RCPT", "553 5.6.7 no UTF-8 here", REFUSED, "5.6.7"),
        ("RCPT", "550 no such user", REFUSED, None),
        ("RCPT", "551 moved away", REFUSED, None),
        ("RCPT", "553 mailbox name not allowed", REFUSED, None),
        ("RCPT", "556 domain takes no mail", REFUSED, None),
        # the recipient exists, but delivery failed for now
        ("RCPT", "450 4.2.0 greylisted", LATER, "4.2.0"),
        ("RCPT", "451 try again", LATER, None),
        ("RCPT", "452 4.2.2 mailbox full", LATER, "4.2.2"),
        ("RCPT", "552 5.2.2 mailbox full", LATER, "5.2.2"),
        ("RCPT", "552 mailbox full", LATER, None),
        ("RCPT", "550 5.4.4 no route", LATER, "5.4.4"),
        # because of us
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
def test_the_outcome_of_a_refusal_depends_on_step_code_and_status(step, reply, outcome, status):
    with ScriptedServer({step: [reply]}) as server:
        results = send(server, ANN, BOB)
    assert outcomes(results) == [outcome, TAKEN]
    assert results[0].reply == Reply(int(reply[:3]), status, re.sub(r"^\d+ (\d\.\d+\.\d+ )?", "", reply))
    assert [letter.recipients for letter in server.letters] == [(BOB,)]
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
def test_after_a_refusal_rset_is_sent_and_the_next_message_has_its_own_sender(step):
    with ScriptedServer({step: ["550 5.1.1 no"]}) as server:
        send(server, ANN, BOB, CLEO)
    starts = [command for command in server.commands if command == "RSET" or command.startswith("MAIL")]
    assert [start.split(" SIZE")[0] for start in starts] == [
        "MAIL FROM:<b-1@bounces.example>",
        "RSET",
        "MAIL FROM:<b-2@bounces.example>",
        "MAIL FROM:<b-3@bounces.example>",
    ]
    assert [letter.sender for letter in server.letters] == ["b-2@bounces.example", "b-3@bounces.example"]


def test_a_message_is_taken_if_the_relay_accepts_its_content():
    with ScriptedServer() as server:
        (result,) = send(server, ANN)
    assert (result.outcome, result.reply) == (TAKEN, Reply(250, "2.0.0", "taken"))
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("reply", [CLOSE, SILENCE, "garbage"])
def test_without_a_reply_to_the_final_dot_the_message_is_in_doubt(reply):
    with ScriptedServer({"DOT": [reply]}) as server:
        results = send(server, ANN, timeouts=SHORT_TIMEOUTS)
    assert outcomes(results) == [IN_DOUBT]
    assert results[0].reply.code is None


def test_after_a_message_in_doubt_the_next_ones_use_a_new_connection():
    with ScriptedServer({"DOT": ["250 2.0.0 ok", CLOSE]}) as server:
        results = send(server, ANN, BOB, CLEO, ANN)
    assert outcomes(results) == [TAKEN, IN_DOUBT, UNTOUCHED, TAKEN], (
        "the third envelope was in one group with the second final dot"
    )
    assert server.connections == 2


@pytest.mark.parametrize("step", ["RCPT", "DATA", "CONTENT"])
def test_a_connection_lost_before_the_final_dot_means_later(step):
    body = [b"Subject: Hello\r\n\r\n" + b"x" * 70 + b"\r\n" * 5_000_000]  # more than the socket buffers hold
    with ScriptedServer({step: [CLOSE]}) as server:
        results: list[Result] = []
        with a_transport(server) as transport:
            transport.send(iter([a_message(1, ANN, body=body)]), results.append, stop=lambda: False)
    assert outcomes(results) == [LATER]
    assert results[0].reply.code is None


@pytest.mark.parametrize("reply", [CLOSE, SILENCE, "garbage"])
def test_if_a_relay_hangs_up_between_messages_the_next_one_is_untouched(reply):
    with ScriptedServer({"MAIL": ["250 ok", reply]}) as server:
        results = send(server, ANN, BOB, CLEO, timeouts=SHORT_TIMEOUTS)
    assert outcomes(results) == [TAKEN, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_a_relay_that_hangs_up_at_the_first_message_is_not_tried_for_each():
    with ScriptedServer(always={"MAIL": CLOSE}) as server:
        results = send(server, ANN, BOB, CLEO)
    assert outcomes(results) == [LATER]
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
def test_421_is_about_the_current_message_and_the_next_uses_a_new_connection(step):
    usual = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "DOT": "250 ok"}[step]
    with ScriptedServer({step: [usual, "421 4.7.0 too many letters"]}) as server:
        results = send(server, ANN, BOB, CLEO, ANN)
    # After MAIL it is about the connection, because the relay does not know the recipient yet. After the final dot the
    # next envelope is already sent, and stays unanswered.
    assert outcomes(results) == [
        TAKEN,
        UNTOUCHED if step == "MAIL" else LATER,
        UNTOUCHED if step == "DOT" else TAKEN,
        TAKEN,
    ]
    assert results[1].reply == Reply(421, "4.7.0", "too many letters")
    assert server.connections == 2


def test_after_503_to_mail_the_message_is_untouched_and_the_connection_closed():
    with ScriptedServer({"MAIL": ["250 ok", "503 5.5.1 nested MAIL command"]}) as server:
        results = send(server, ANN, BOB, CLEO)
    assert outcomes(results) == [TAKEN, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_if_rset_fails_the_connection_is_closed():
    with ScriptedServer({"RCPT": ["550 5.1.1 no"], "RSET": ["500 what?"]}) as server:
        results = send(server, ANN, BOB, CLEO)
    assert outcomes(results) == [REFUSED, UNTOUCHED, TAKEN]
    assert server.connections == 2


def test_after_eight_refusals_in_a_row_a_new_connection_is_opened():
    nobody = [f"nobody-{number}@example.org" for number in range(20)]
    with ScriptedServer(refused=dict.fromkeys(nobody, "550 5.1.1 user unknown")) as server:
        results = send(server, *nobody, ANN)
    assert outcomes(results) == [REFUSED] * 20 + [TAKEN]
    assert server.connections == 3


def test_a_taken_message_resets_the_count_of_refusals_in_a_row():
    nobody = [f"nobody-{number}@example.org" for number in range(7)]
    with ScriptedServer(refused=dict.fromkeys(nobody, "550 5.1.1 user unknown")) as server:
        send(server, *nobody, ANN, *nobody, BOB)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("script", "reason", "lasting"),
    [
        (
            {"GREETING": ["554 5.7.1 you are on a list"]},
            "the relay does not let us in: 554 5.7.1 you are on a list",
            True,
        ),
        ({"GREETING": ["421 4.3.2 busy"]}, "the relay does not let us in: 421 4.3.2 busy", False),
        ({"GREETING": ["garbage"]}, "the relay does not let us in: the relay sent an invalid reply", False),
        ({"GREETING": [CLOSE]}, "the relay closed the connection", False),
        ({"EHLO": ["451 4.3.2 later"]}, "the relay refuses our greeting: 451 4.3.2 later", False),
        ({"EHLO": ["550 5.7.1 no"], "HELO": ["550 5.7.1 no"]}, "the relay refuses our greeting: 550 5.7.1 no", True),
    ],
)
def test_a_relay_that_refuses_the_connection_is_a_problem_and_affects_no_message(script, reason, lasting):
    with ScriptedServer(script) as server:
        assert problem_of(server) == TransportProblem(f"the relay 127.0.0.1:{server.port}", reason, lasting)


def test_if_nothing_listens_no_message_is_taken():
    with ScriptedServer() as server:
        pass
    assert problem_of(server) == TransportProblem(
        f"the relay 127.0.0.1:{server.port}", "Connection refused", lasting=False
    )


def test_a_relay_that_is_available_again_is_used_again():
    with ScriptedServer({"GREETING": ["421 busy"]}) as server, a_transport(server) as transport:
        assert send_over(transport, ANN) == []
        assert transport.blocking_problem()
        eventually(lambda: outcomes(send_over(transport, ANN)) == [TAKEN])
        assert transport.blocking_problem() is None
        assert server.connections == 2


def test_no_message_is_taken_before_a_slow_relay_greets():
    with ScriptedServer({"GREETING": [late("220 at last", 3)]}) as server, a_transport(server) as transport:
        results: list[Result] = []
        begun_in_time = (a_message(1, ANN, begin_by=time.monotonic() + 2) for _ in range(1))
        transport.send(begun_in_time, results.append, stop=lambda: False)
    assert outcomes(results) == [TAKEN]


def test_messages_keep_the_relays_rate():
    begun = time.monotonic()
    with ScriptedServer() as server:
        results = send(server, ANN, BOB, CLEO, rate=20)
    assert outcomes(results) == [TAKEN] * 3
    assert time.monotonic() - begun >= 0.1


def test_stop_ends_the_wait_for_the_rate():
    begun = time.monotonic()
    with ScriptedServer() as server, a_transport(server, rate=0.01) as transport:
        results: list[Result] = []
        messages = iter([a_message(1, ANN), a_message(2, BOB)])
        transport.send(messages, results.append, stop=lambda: bool(results))
    assert len(results) == len(list(messages)) == 1
    assert time.monotonic() - begun < 60


def test_addresses_in_replies_are_replaced():
    reply = (
        f"550 5.1.1 <{ANN}>: no {ANN.upper()}, see https://relay.test/why?to=ann%40example.org (b-1@bounces.example)"
    )
    with ScriptedServer({"RCPT": [reply]}) as server:
        (result,) = send(server, ANN)
    assert result.reply.text == "<address>: no <address>, see https:<address> (<address>)"


def test_a_reply_of_several_lines_is_one_text_without_its_codes():
    reply = replies.parse(550, b"5.1.1 The account does\n5.1.1 not exist.\r\x00\n5.1.1  Bye")
    assert reply == Reply(550, "5.1.1", "The account does not exist. Bye")


def test_a_long_reply_is_cut():
    assert len(replies.parse(550, b"x" * 100_000).text) == replies.STORED_CHARACTERS


def test_the_size_is_announced_if_the_relay_offers_size():
    with ScriptedServer(offers=["SIZE 1000"]) as server:
        send(server, ANN)
        server.offers = ["PIPELINING"]
        send(server, ANN)
    assert [letter.options for letter in server.letters] == [f"SIZE={len(server.letters[0].body)}", ""]


def test_an_address_outside_ascii_is_sent_only_to_relays_with_smtputf8():
    with ScriptedServer(offers=["8BITMIME", "SMTPUTF8"]) as server:
        assert outcomes(send(server, "用户@example.org", ANN)) == [TAKEN, TAKEN]
    assert [letter.recipients for letter in server.letters] == [("用户@example.org",), (ANN,)]
    assert [letter.options for letter in server.letters] == ["BODY=8BITMIME SMTPUTF8", ""]
    with ScriptedServer(offers=["8BITMIME"]) as server:
        results = send(server, "用户@example.org", ANN)
    assert outcomes(results) == [REFUSED, TAKEN]
    assert results[0].reply.status == "5.6.7"
    assert len(server.letters) == 1


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate / "certificate")


@pytest.fixture
def tls_server(server_tls: ssl.SSLContext) -> Iterator[ScriptedServer]:
    offers = ["STARTTLS", "PIPELINING"]
    with ScriptedServer(tls=server_tls, offers=offers, offers_after_tls=["AUTH PLAIN LOGIN", "SIZE"]) as server:
        yield server


LOGIN = {"host": "localhost", "user": "news", "password": "open sesame"}


def test_starttls_is_used_if_it_is_offered(tls_server, trusting):
    assert outcomes(send(tls_server, ANN, host="localhost", tls=trusting)) == [TAKEN]
    names = [command.split(" ")[0] for command in tls_server.commands]
    assert names == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def test_with_a_password_we_log_in_after_starttls(tls_server, trusting):
    assert outcomes(send(tls_server, ANN, tls=trusting, **LOGIN)) == [TAKEN]
    assert [command.split(" ")[0] for command in tls_server.commands][:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


ELSEWHERE = "127.1"  # looks like a remote host name, but resolves to this machine
OPTIONAL, REQUIRED = TlsPolicy.OPTIONAL, TlsPolicy.REQUIRED


@pytest.mark.parametrize(
    ("of_relay", "remedy"),
    [
        ({"host": ELSEWHERE}, "the option tls=optional in NEWSLETTER_SMTP_URL"),
        ({**LOGIN, "host": ELSEWHERE}, "the options tls=optional and login=cleartext in NEWSLETTER_SMTP_URL"),
        ({**LOGIN, "host": ELSEWHERE, "tls_policy": OPTIONAL}, "the option login=cleartext in NEWSLETTER_SMTP_URL"),
        ({**LOGIN, "host": "localhost", "tls_policy": REQUIRED}, "the option tls=optional in NEWSLETTER_SMTP_URL"),
        ({"host": "localhost", "ca": "<certificate>"}, "the option tls=optional in NEWSLETTER_SMTP_URL"),
    ],
)
def test_a_relay_without_tls_gets_no_letter_and_no_password_and_the_problem_names_the_remedy(
    certificate, of_relay, remedy
):
    of_relay = {k: str(certificate / "certificate") if v == "<certificate>" else v for k, v in of_relay.items()}
    with ScriptedServer(offers=["AUTH PLAIN LOGIN"]) as server:
        problem = problem_of(server, **of_relay)
    assert problem.lasting
    assert problem.reason.startswith("the relay offers no STARTTLS")
    assert problem.reason.endswith(remedy)
    assert [command.split(" ")[0] for command in server.commands] == ["EHLO"]


@pytest.mark.parametrize(
    "of_relay",
    [
        {"host": "localhost"},
        {**LOGIN, "host": "localhost"},
        {**LOGIN, "host": "127.0.0.1"},
        {"host": ELSEWHERE, "tls_policy": OPTIONAL},
        {**LOGIN, "host": ELSEWHERE, "tls_policy": OPTIONAL, "allows_cleartext_login": True},
    ],
)
def test_a_relay_without_tls_is_used_on_this_machine_or_by_the_operators_choice(of_relay):
    with ScriptedServer(offers=["AUTH PLAIN LOGIN"]) as server:
        assert outcomes(send(server, ANN, **of_relay)) == [TAKEN]
    assert any(command.startswith("AUTH") for command in server.commands) is ("user" in of_relay)


def test_a_relay_that_may_do_without_tls_is_encrypted_if_it_can_be(tls_server, certificate):
    ca = str(certificate / "certificate")
    for of_relay in ({"host": "localhost"}, {"host": "localhost", "tls_policy": OPTIONAL, "ca": ca}):
        tls_server.commands.clear()
        assert outcomes(send(tls_server, ANN, **of_relay)) == [TAKEN]
        assert "STARTTLS" in tls_server.commands


def test_letters_wait_for_a_relay_without_tls_and_leave_once_it_encrypts(server_tls, certificate):
    ca = str(certificate / "certificate")
    with ScriptedServer(offers=["PIPELINING"]) as server:
        with a_transport(server, host="localhost", ca=ca) as transport:
            waiting = iter([a_message(1, ANN), a_message(2, BOB)])
            transport.send(waiting, pytest.fail, stop=lambda: False)
        assert [message.recipient for message in waiting] == [ANN, BOB]
    with ScriptedServer(tls=server_tls, offers=["STARTTLS"]) as server:
        assert outcomes(send(server, ANN, BOB, host="localhost", ca=ca)) == [TAKEN, TAKEN]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_named_ca_is_the_only_one_that_counts_also_on_this_machine(server_tls, certificate, tmp_path, scheme):
    other = tmp_path / "other"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout other -out other"
    subprocess.run(made.split(" "), cwd=tmp_path, check=True, capture_output=True)
    of_relay = {"scheme": scheme, "host": "localhost"}
    with ScriptedServer(tls=server_tls, tls_from_start=scheme == "smtps", offers=["STARTTLS"]) as server:
        assert "ca=" in problem_of(server, ca=str(other), **of_relay).reason
        assert outcomes(send(server, ANN, ca=str(certificate / "certificate"), **of_relay)) == [TAKEN]


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("", "PEM"), ("no certificate", "PEM")])
def test_a_ca_file_that_cannot_be_used_is_refused_with_its_name(tmp_path, content, reason):
    file = tmp_path / "ca"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Misconfigured, match=f"NEWSLETTER_SMTP_URL.*{file}.*{reason}"):
        SmtpTransport(Relay(host="localhost", port=25, ca=str(file)), ehlo_name="news.example")


@pytest.mark.parametrize("login", [{}, {"user": "news", "password": "open sesame"}])
def test_an_unverifiable_certificate_is_not_accepted(tls_server, login):
    problem = problem_of(tls_server, host=ELSEWHERE, **login)
    assert problem.lasting
    assert problem.reason.startswith("its certificate does not verify: ")
    assert tls_server.letters == []


@pytest.mark.parametrize("of_relay", [{"host": "localhost"}, {"host": "127.0.0.1"}, LOGIN])
def test_a_relay_on_this_machine_needs_no_valid_certificate(tls_server, of_relay):
    assert outcomes(send(tls_server, ANN, **of_relay)) == [TAKEN]
    assert "STARTTLS" in tls_server.commands, "the connection is encrypted"


def test_a_certificate_of_another_host_is_not_accepted(tls_server, trusting):
    assert "certificate" in problem_of(tls_server, host="127.0.0.1", tls=trusting).reason


def test_smtps_is_encrypted_from_the_start(server_tls, trusting):
    with ScriptedServer(tls=server_tls, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        assert outcomes(send(server, ANN, BOB, scheme="smtps", tls=trusting, **LOGIN)) == [TAKEN, TAKEN]
        assert outcomes(send(server, ANN, scheme="smtps", **LOGIN)) == [TAKEN]
        assert problem_of(server, scheme="smtps", **LOGIN | {"host": ELSEWHERE}).lasting


def test_a_wrong_password_is_a_lasting_problem_whose_reason_names_no_address(server_tls, trusting):
    always = {"AUTH": "535 5.7.8 authentication failed for news@example.org"}
    with ScriptedServer(always=always, tls=server_tls, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        problem = problem_of(server, scheme="smtps", tls=trusting, **LOGIN)
    assert problem.reason == "the relay refuses our login: 535 5.7.8 authentication failed for <address>"
    assert problem.lasting


def test_a_temporary_login_failure_is_not_lasting(server_tls, trusting):
    always = {"AUTH": "454 4.7.0 temporary authentication failure"}
    with ScriptedServer(always=always, tls=server_tls, tls_from_start=True, offers=["AUTH PLAIN"]) as server:
        assert not problem_of(server, scheme="smtps", tls=trusting, **LOGIN).lasting


@pytest.mark.parametrize("offers", [["AUTH GSSAPI"], ["PIPELINING"]])
def test_a_relay_without_a_known_login_is_a_lasting_problem(server_tls, trusting, offers):
    with ScriptedServer(tls=server_tls, tls_from_start=True, offers=offers) as server:
        assert problem_of(server, scheme="smtps", tls=trusting, **LOGIN).lasting


def test_a_real_server_receives_merged_letters_unchanged(smtp_sink):
    message = mime.letter(
        {"From": mime.mailbox("Café «Nord»", "editor@news.example"), "To": merge.marker("to"), "Subject": "Grüße"},
        text=f"Hello {merge.marker('name')}\n.\nFrom here on\n",
        html=f"<p>Hello {merge.marker('name')}\n.\n",
    )
    sheet = merge.lay_out(message, ["to", "name"])
    names = {f"reader-{number}@example.org": f". Zoë {number} " for number in range(20)}
    messages = [
        a_message(number, to, body=sheet.fill({"to": to, "name": name}))
        for number, (to, name) in enumerate(names.items())
    ]
    results: list[Result] = []
    transport = SmtpTransport(Relay.parse(smtp_sink.url), ehlo_name="news.example")
    transport.send(iter(messages), results.append, stop=lambda: False)
    transport.close()
    assert outcomes(results) == [TAKEN] * 20
    letters = {letter.recipients[0]: letter for letter in smtp_sink.letters()}
    assert letters.keys() == names.keys()
    for message in messages:
        letter = letters[message.recipient]
        assert letter.sender == message.sender
        assert letter.source.replace(b"\n", b"\r\n") == b"".join(message.body)
        text = BytesParser(policy=policy.default).parsebytes(letter.source).get_body(("plain",))
        assert text.get_content().startswith(f"Hello {names[message.recipient]}\n.\nFrom here on\n")
