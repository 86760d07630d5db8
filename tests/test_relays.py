import pytest

from newsletter.errors import Misconfigured
from newsletter.relays import Relay, TlsPolicy


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://localhost", Relay(host="localhost", port=25)),
        ("smtp://mail.example:2525/", Relay(host="mail.example", port=2525)),
        ("smtp://me:pw@mail.example", Relay(host="mail.example", port=587, user="me", password="pw")),
        ("smtps://[::1]", Relay(scheme="smtps", host="::1", port=465)),
        ("smtp://h?rate=0.5&connections=5&weight=2", Relay(host="h", port=25, rate=0.5, connections=5, weight=2)),
        (
            "smtps://a%40b.example:p%2F%3Aw@h:1",
            Relay(scheme="smtps", host="h", port=1, user="a@b.example", password="p/:w"),
        ),
        ("smtp://h?tls=optional", Relay(host="h", port=25, tls_policy=TlsPolicy.OPTIONAL)),
        ("smtp://localhost?tls=required", Relay(host="localhost", port=25, tls_policy=TlsPolicy.REQUIRED)),
        ("smtps://h?ca=/etc/my%20ca%2Cs+1.pem", Relay(scheme="smtps", host="h", port=465, ca="/etc/my ca,s+1.pem")),
        (
            "smtp://me:pw@h?tls=optional&login=cleartext",
            Relay(
                host="h", port=587, user="me", password="pw", tls_policy=TlsPolicy.OPTIONAL, allows_cleartext_login=True
            ),
        ),
    ],
)
def test_a_relay_is_read_from_its_url(url, relay):
    assert Relay.parse(url) == relay


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://:25",
        "smtp://h:port",
        "smtp://h:99999",
        "smtp://h/path",
        "smtp://h#part",
        "smtp://[::1",
        "smtp://h?pool=2",
        "smtp://h?rate=fast",
        "smtp://h?rate=0",
        "smtp://h?rate=-1",
        "smtp://h?rate=nan",
        "smtp://h?rate=inf",
        "smtp://h?rate=1&rate=2",
        "smtp://h?connections=1.5",
        "smtp://h?weight=",
        "smtp://h?tls=never",
        "smtp://h?tls=",
        "smtps://h?tls=optional",
        "smtp://h?ca=",
        "smtp://h?ca=ca.pem",
        "smtp://me:pw@h?login=cleartext",
        "smtp://me:pw@h?tls=optional&login=plain",
        "smtps://me:pw@h?login=cleartext",
        "smtp://user@h",
        "smtp://:pw@h",
    ],
)
def test_an_invalid_relay_is_refused(url):
    with pytest.raises(Misconfigured):
        Relay.parse(url)


@pytest.mark.parametrize("password", ["se/cret", "se?cret", "se#cret", "12/cret", "12?cret", "12?rate=cret", "[cret"])
def test_no_message_repeats_a_password_that_was_not_percent_encoded(password):
    with pytest.raises(Misconfigured) as refusal:
        Relay.parse(f"smtp://user:{password}@mail.example")
    assert "cret" not in str(refusal.value)


def test_user_and_password_are_hidden_from_repr():
    assert repr(Relay.parse("smtp://news:secret@h")).count("secret") == 0
    assert "news" not in repr(Relay.parse("smtp://news:secret@h"))


HERE = ["localhost", "127.0.0.1", "127.8.9.10", "[::1]", "LOCALHOST"]
ELSEWHERE = [
    "mail.example",
    "localhost.example",
    "127.1",
    "10.0.0.1",
    "[::]",
    "mail.localhost",
    "[fe80::1]",
    "notlocalhost",
]


@pytest.mark.parametrize(("host", "here"), [*((host, True) for host in HERE), *((host, False) for host in ELSEWHERE)])
def test_a_relay_is_on_this_machine_only_if_its_host_is_loopback(host, here):
    assert Relay.parse(f"smtp://{host}").is_on_this_machine is here


@pytest.mark.parametrize(
    ("url", "tls", "login"),
    [
        # whether TLS is required, and whether a password may be sent without it
        ("smtp://mail.example", True, False),
        ("smtp://mail.example?tls=required", True, False),
        ("smtp://mail.example?tls=optional", False, False),
        ("smtp://mail.example?tls=optional&login=cleartext", False, True),
        ("smtps://mail.example", True, False),
        ("smtp://10.0.0.1", True, False),
        ("smtp://127.0.0.1", False, True),
        ("smtp://[::1]", False, True),
        ("smtp://localhost?ca=/ca.pem", True, True),
        ("smtp://localhost?tls=required", True, True),
        ("smtps://localhost", True, True),
    ],
)
def test_another_machine_requires_tls_unless_the_url_says_otherwise(url, tls, login):
    relay = Relay.parse(url)
    assert (relay.requires_tls, relay.may_log_in_without_tls) == (tls, login)
