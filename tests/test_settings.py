"""Settings: the defaults, the refused values, and that no message repeats a secret."""

import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from newsletter import settings
from newsletter.allowed_hosts import AllowedHost
from newsletter.errors import Misconfigured
from newsletter.settings import Settings

ROOT = Path(__file__).parents[1]
KEY, OLD_KEY = "n" * 40, "o" * 40


def load(dotenv: Path | None = None, **variables: str) -> Settings:
    return settings.load({f"NEWSLETTER_{name}": value for name, value in variables.items()}, dotenv=dotenv)


def error_of(dotenv: Path | None = None, **variables: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        load(dotenv, **variables)
    return str(refused.value)


def test_the_defaults_are_a_local_service_with_files_in_var():
    loaded = load()
    assert loaded.database == f"sqlite:///{Path('var').resolve()}/newsletter.db"
    assert loaded.redis_url is None
    assert loaded.smtp_url == ()
    assert loaded.ehlo_name
    assert loaded.base_url == "http://localhost:8000"
    assert loaded.is_local
    assert loaded.secret_keys == ()
    assert loaded.data_dir == Path("var")
    assert loaded.trusted_proxies == ()
    assert loaded.feed_allow == ()
    assert loaded.metrics_token is None


def test_every_setting_of_the_contract_is_read_from_the_environment():
    loaded = load(
        DATABASE_URL="postgresql+psycopg://news:pw@db.example/news",
        REDIS_URL="redis://redis.example:6379/0",
        SMTP_URL="smtp://me:pw@one.example:587?rate=14&connections=5&weight=2, smtps://two.example",
        EHLO_NAME="letters.example.org",
        BASE_URL="https://letters.example.org/",
        SECRET_KEYS=f"k2:{KEY},k1:{OLD_KEY}",
        DATA_DIR="/srv/newsletter",
        TRUSTED_PROXIES="10.0.0.1, 192.168.0.0/16,::1",
        FEED_ALLOW="news.internal,10.1.2.3",
        METRICS_TOKEN="0123456789abcdef",
        DESK_URL="https://desk.example.org/",
        SERVICE_SENDER="desk@example.org",
        OIDC_ISSUER="https://id.example.org",
        OIDC_CLIENT_ID="desk",
        OIDC_CLIENT_SECRET="s" * 16,
        OIDC_NAME="Example Press",
        CONFIRMATIONS_PER_HOST="1",
        CONFIRMATIONS_PER_NETWORK="2",
        CONFIRMATIONS_PER_DOMAIN="3",
        CONFIRMATIONS_PER_HOUR="4",
    )
    assert loaded.database == "postgresql+psycopg://news:pw@db.example/news"
    assert loaded.redis_url == "redis://redis.example:6379/0"
    assert [(relay.host, relay.port, relay.rate) for relay in loaded.smtp_url] == [
        ("one.example", 587, 14.0),
        ("two.example", 465, None),
    ]
    assert loaded.ehlo_name == "letters.example.org"
    assert loaded.base_url == "https://letters.example.org"
    assert not loaded.is_local
    assert loaded.secret_keys == (("k2", KEY), ("k1", OLD_KEY))
    assert loaded.data_dir == Path("/srv/newsletter")
    assert loaded.trusted_proxies == (ip_network("10.0.0.1"), ip_network("192.168.0.0/16"), ip_network("::1"))
    assert loaded.feed_allow == (AllowedHost("news.internal"), AllowedHost(ip_network("10.1.2.3/32")))
    assert loaded.metrics_token == "0123456789abcdef"
    assert (loaded.confirmations_per_host, loaded.confirmations_per_network) == (1, 2)
    assert (loaded.confirmations_per_domain, loaded.confirmations_per_hour) == (3, 4)
    assert (loaded.desk_url, loaded.service_sender) == ("https://desk.example.org", "desk@example.org")
    assert (loaded.oidc_issuer, loaded.oidc_client_id) == ("https://id.example.org", "desk")
    assert (loaded.oidc_client_secret, loaded.oidc_name) == ("s" * 16, "Example Press")
    assert set(Settings.model_fields) == {
        *("desk_url", "service_sender", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_name"),
        *("database_url", "redis_url", "smtp_url", "ehlo_name", "base_url"),
        *("secret_keys", "data_dir", "trusted_proxies", "feed_allow", "metrics_token"),
        *("confirmations_per_host", "confirmations_per_network", "confirmations_per_domain", "confirmations_per_hour"),
    }


@pytest.mark.parametrize(
    "values",
    [
        {"SERVICE_SENDER": "Desk <desk@example.org>"},
        {"SERVICE_SENDER": "desk@localhost"},
        {"SERVICE_SENDER": "desk@exämple.org"},
        {"OIDC_ISSUER": "http://id.example.org", "OIDC_CLIENT_ID": "desk"},
        {"OIDC_ISSUER": "https://id.example.org?tenant=1", "OIDC_CLIENT_ID": "desk"},
        {"OIDC_ISSUER": "https://id.example.org"},
        {"OIDC_CLIENT_ID": "desk"},
    ],
)
def test_a_sender_or_provider_that_cannot_work_is_refused(values):
    with pytest.raises(Misconfigured, match="|".join(values)):
        load(**values)


def test_other_programs_variables_are_ignored():
    assert settings.load({"SMTP_URL": "nonsense", "newsletter_x": "1", "PATH": "/bin"}, dotenv=None) == load()


def test_an_empty_value_counts_as_not_set():
    assert load(**{name.upper(): "" for name in Settings.model_fields}) == load()


def test_a_dotenv_file_is_read_literally_and_the_environment_takes_precedence(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# ours\nNEWSLETTER_BASE_URL=https://dotenv.example\nOTHER=1\nEMPTY\n"
        "NEWSLETTER_SMTP_URL='smtp://me:${HOME}$PATH@mail.example'\n"
    )
    loaded = load(dotenv)
    assert loaded.base_url == "https://dotenv.example"
    assert loaded.smtp_url[0].password == "${HOME}$PATH"
    assert load(dotenv, BASE_URL="https://environment.example").base_url == "https://environment.example"


def test_options_of_the_command_line_take_precedence():
    environ = {"NEWSLETTER_BASE_URL": "https://letters.example.org"}
    assert settings.load(environ, dotenv=None, base_url="http://127.0.0.1:9000").base_url == "http://127.0.0.1:9000"


def test_a_setting_is_read_from_the_named_file(tmp_path):
    (tmp_path / "relay").write_text("smtp://me:pw@mail.example\n")
    assert load(SMTP_URL_FILE=str(tmp_path / "relay")).smtp_url[0].password == "pw"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xff\xfe", "UTF-8")]
)
def test_an_unreadable_or_empty_file_is_refused(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    message = error_of(SECRET_KEYS_FILE=str(tmp_path / "key"))
    assert "NEWSLETTER_SECRET_KEYS_FILE" in message
    assert reason in message


def test_a_setting_that_is_set_twice_is_refused(tmp_path):
    (tmp_path / "key").write_text(f"k1:{KEY}")
    message = error_of(SECRET_KEYS=f"k1:{KEY}", SECRET_KEYS_FILE=str(tmp_path / "key"))
    assert "NEWSLETTER_SECRET_KEYS is set as well" in message


MALFORMED = {
    "DATABASE_URL": ["mysql://db/news", "nonsense", "sqlite://", "sqlite:///:memory:", "postgres://db/news"],
    "REDIS_URL": ["localhost:6379", "http://localhost", "unix:///run/redis.sock", "redis://h:port/0", "redis://h/abc"],
    "SMTP_URL": ["mail.example", "smtp://h,,http://h", "smtp://me@h", "smtp://h?rate=-1"],
    "EHLO_NAME": ["my host", "a\nb", "höst.example"],
    "BASE_URL": [
        *("letters.example.org", "ftp://letters.example.org", "http://", "https://:443", "https://[::1"),
        *(
            "https://example.org/a b",
            "https://example.org/a//b",
            "https://letters.example.org?a=b",
            "https://letters.example.org#a",
        ),
        *("https://me:pw@letters.example.org", "https://straße.example", "https://let ters.example.org"),
        f"https://{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.example.org",
        *("https://letters.example.org:port", "https://letters.example.org:99999", "https://a<b>.example"),
    ],
    "SECRET_KEYS": [
        *("k1", f"k1:{'s' * 31}", f":{KEY}", f"k-1:{KEY}", f"ninechars:{KEY}", f"k1:{KEY},k1:{OLD_KEY}"),
        *(f"k1:{KEY},,k2", f"schlüßl:{KEY}", KEY),
    ],
    "FEED_ALLOW": ["http://news.internal", "me@news.internal", "news.internal:port", "10.0.0.0/33"],
    "METRICS_TOKEN": ["t" * 15, "a token with blanks", "schlüssel-von-vorn", "t" * 16 + "=t"],
    "TRUSTED_PROXIES": ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,everybody"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values])
def test_a_malformed_value_is_refused_with_its_name_in_one_line(name, value):
    message = error_of(**{name: value}).splitlines()
    assert len(message) == 2
    assert message[1].startswith(f"  NEWSLETTER_{name}: ")


def test_one_message_names_all_errors(tmp_path):
    (tmp_path / ".env").write_text("NEWSLETTER_COLOR=blue\n")
    message = error_of(
        tmp_path / ".env",
        SMTP_URI="smtp://h",
        Base_Url="https://letters.example.org",
        FILE="x",
        EHLO_NAME_FILE=str(tmp_path / "nothing"),
        **{name: values[0] for name, values in MALFORMED.items() if name != "EHLO_NAME"},
    )
    expected = {"COLOR", "SMTP_URI", "Base_Url", "FILE", "EHLO_NAME_FILE", *MALFORMED} - {"EHLO_NAME"}
    assert {line.strip().partition(":")[0] for line in message.splitlines()[1:]} == {
        f"NEWSLETTER_{name}" for name in expected
    }


SECRETS = [
    {"DATABASE_URL": "mysql://news:hush@db.example/news"},
    {"DATABASE_URL": "postgresql://news:hush@db.example:hush/news"},
    {"REDIS_URL": "http://:hush@redis.example"},
    {"REDIS_URL": "//:hush@redis.example℀"},
    {"SMTP_URL": "smtp://me:hush/1@mail.example"},
    {"SMTP_URL": "smtp://me:a,hush@mail.example"},
    {"SMTP_URL": "imap://me:hush@mail.example"},
    {"SECRET_KEYS": "hush"},
    {"SECRET_KEYS": "k1:hush"},
    {"SECRET_KEYS": f"k1:{KEY},hush"},
    {"SECRET_KEYS": f"k1:{KEY},hush,hush:"},
    {"SECRET_KEYS_FILE": "k1:hush"},
    {"SMTP_URL_FILE": "smtp://me:hush@mail.example"},
    {"SMTP_URL": "smtp://me:hush@mail.example", "SMTP_URL_FILE": "hush"},
    {"SECRET_KEY": "hush"},
    {"METRICS_TOKEN": "hush"},
    {"METRICS_TOKEN": "hush hush hush hush"},
    {"BASE_URL": "https://me:hush@letters.example.org"},
]


@pytest.mark.parametrize("variables", SECRETS, ids=str)
def test_no_message_repeats_any_part_of_a_secret(variables):
    assert "hush" not in error_of(**variables)


def test_the_repr_of_the_settings_contains_no_secret():
    loaded = load(
        DATABASE_URL="postgresql://news:hush@db.example/news",
        REDIS_URL="redis://:hush@redis.example",
        SMTP_URL="smtp://hush:hush@mail.example",
        SECRET_KEYS=f"k1:{'hush' * 10}",
        METRICS_TOKEN="hush" * 4,
    )
    assert "hush" not in f"{loaded!r} {loaded} {loaded.smtp_url!r}"


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("postgresql://u:postgresql@db/news", "postgresql+psycopg://u:postgresql@db/news"),
        ("postgresql+psycopg://u:p@db/news", "postgresql+psycopg://u:p@db/news"),
        ("postgresql:///news?host=/run/postgresql", "postgresql+psycopg:///news?host=/run/postgresql"),
        ("sqlite:////srv/news.db", "sqlite:////srv/news.db"),
    ],
)
def test_the_database_is_sqlite_or_postgresql(url, used):
    assert load(DATABASE_URL=url).database == used


def test_a_data_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "what? 100% #1"
    assert make_url(load(DATA_DIR=str(folder)).database).database == str(folder / "newsletter.db")


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://localhost:8000", True),
        ("http://LOCALHOST", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.0.0.2:8000", True),
        ("http://[::1]:8000", True),
        ("https://localhost.example.org", False),
        ("https://letters.example.org", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0:8000", False),
    ],
)
def test_only_a_loopback_address_is_local(base_url, local):
    assert load(BASE_URL=base_url).is_local == local


def test_settings_are_immutable():
    with pytest.raises(ValueError, match="frozen"):
        load().base_url = "http://other.example"


def test_a_command_with_invalid_settings_exits_with_2_and_names_them(tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    wrong = {"NEWSLETTER_SMTP_URL": "smtp://me:hush/@h", "NEWSLETTER_SMPT": "x", "NEWSLETTER_BASE_URL": "nowhere"}
    done = subprocess.run(
        [sys.executable, "-m", "newsletter.cli", "doctor"],
        cwd=tmp_path,
        env={**environ, **wrong, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert [name in done.stderr for name in wrong] == [True] * 3
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())
