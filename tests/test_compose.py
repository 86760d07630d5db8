"""compose.yaml without a container engine: each service as a process, with its own command and health check."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for
from sqlalchemy import text

from newsletter.bench.visitor import Visitor, browser_at
from newsletter.settings import PREFIX, Settings, load
from newsletter.store.database import Database
from tests.container_engine import COMPOSE, GRACE, OURS, ROOT, SERVICES, Engine, seconds
from tests.local_http import LocalHttp, local_http
from tests.servers.server import free_port
from tests.servers.smtp_sink import SmtpSink
from tests.waiting import eventually

TEXT = (ROOT / "compose.yaml").read_text()
SECRETS = "/run/secrets"

FEED = """<rss version="2.0"><channel><title>Town</title><link>https://town.example/</link><description>News</description>
<item><title>A bridge opens</title><link>https://town.example/bridge</link><guid>1</guid></item></channel></rss>"""


def complaints(compose: Any) -> list[str]:
    """Return the errors by the schema of the compose specification."""
    schema = get_builtin_schema("vendor.compose-spec")
    return [error.message for error in validator_for(schema)(schema).iter_errors(compose)]


def make_secrets(folder: Path) -> Path:
    """Run the commands that the file's comment gives for the first start."""
    lines = [line.removeprefix("#").strip() for line in TEXT.splitlines() if line.startswith("#")]
    first, last = (next(n for n, line in enumerate(lines) if line.startswith(word)) for word in ("install ", "chmod "))
    subprocess.run(["sh", "-euc", "\n".join(lines[first : last + 1])], cwd=folder, check=True)
    return folder / "secrets"


@pytest.fixture
def feed() -> Iterator[LocalHttp]:
    with local_http() as town:
        town.put("/feed.xml", FEED.encode())
        yield town


@pytest.fixture
def engine(postgresql_url: str, redis_url: str, smtp_sink: SmtpSink, feed: LocalHttp, tmp_path: Path) -> Engine:
    """An engine on real servers, with an empty database and the secrets made by the documented commands."""
    with closing(Database(postgresql_url)) as database, database.writing() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    secrets = make_secrets(tmp_path)
    (secrets / "database_url").unlink()
    (secrets / "database_url").write_text(postgresql_url)
    places = {
        "--host 0.0.0.0": "--host 127.0.0.1",
        "8000": str(free_port()),
        "redis://redis:6379/0": redis_url,
        "smtp://mailpit:1025?tls=optional": smtp_sink.url,
        SECRETS: str(secrets),
    }
    return Engine(tmp_path, places, {"NEWSLETTER_FEED_ALLOW": f"127.0.0.1:{feed.port}"})


@pytest.mark.slow
def test_the_services_take_a_reader_from_sign_up_to_unsubscribe(engine, smtp_sink, feed):
    def letter(to: str, about: str):
        mine = [each.message for each in smtp_sink.letters() if each.recipients == [to]]
        return next((each for each in mine if about in str(each["Subject"])), None)

    def readers() -> int:
        (row,) = json.loads(engine.exec("web", "newsletter", "newsletters", "list", "--json"))
        return row["readers"]

    with engine.up():
        for service in ("web", "worker", "beat"):
            eventually(lambda service=service: engine.is_healthy(service))
        facts = ["--name", "Morning Letter", "--publisher", "Example Press", "--sender", "letters@press.example"]
        street = ["--postal-address", "1 Street, 00000 Town"]
        engine.exec("web", "newsletter", "newsletters", "add", "morning", *facts, *street)
        engine.exec("worker", "newsletter", "feeds", "add", feed.url("/feed.xml"), "--newsletter", "morning")
        engine.exec("worker", "newsletter", "feeds", "refresh")

        base_url = engine.environment("web")["NEWSLETTER_BASE_URL"]
        with browser_at(base_url) as browser:
            visitor = Visitor(browser, engine.folder)
            visitor.sign_up("morning", "ana@example.org", "Ana")
            visitor.confirm(eventually(lambda: letter("ana@example.org", "Please confirm")))
            assert readers() == 1
            rule = ["--newsletter", "morning", "--cron", "* * * * *", "--automatic"]
            engine.exec("web", "newsletter", "digests", "add", *rule)
            issue = eventually(lambda: letter("ana@example.org", "A bridge opens"))
            visitor.leave(issue)
        assert readers() == 0
        assert engine.exec("web", "newsletter", "doctor").startswith("ok")

        for service in ("web", "worker", "beat"):
            engine.started[service].terminate()
        for service in ("web", "worker", "beat"):
            grace = SERVICES[service].get("stop_grace_period", GRACE)
            assert engine.started[service].wait(seconds(grace)) in (0, -signal.SIGTERM), service


def test_compose_yaml_is_valid():
    assert complaints(COMPOSE) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"services": {"web": {"imagee": "newsletter"}}},
        {"services": {"web": {"image": "newsletter", "ports": 8000}}},
        {"services": {"web": {"image": "newsletter", "healthcheck": {"test": 1}}}},
    ],
)
def test_an_invalid_compose_file_is_refused(broken):
    assert complaints(broken)


def test_the_documented_commands_create_secrets_that_only_containers_can_read(tmp_path):
    secrets = make_secrets(tmp_path)
    assert {ROOT / made["file"] for made in COMPOSE["secrets"].values()} == {
        ROOT / "secrets" / file.name for file in secrets.iterdir()
    }
    assert secrets.stat().st_mode & 0o777 == 0o700, "no other user can open the folder"
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o444}, "whichever user a container has"
    settings = load(
        {
            "NEWSLETTER_DATABASE_URL_FILE": str(secrets / "database_url"),
            "NEWSLETTER_SECRET_KEYS_FILE": str(secrets / "secret_keys"),
        },
        dotenv=None,
    )
    postgres = SERVICES["postgres"]["environment"]
    password = (secrets / "postgres_password").read_text().strip()
    url = f"postgresql+psycopg://{postgres['POSTGRES_USER']}:{password}@postgres/{postgres['POSTGRES_DB']}"
    assert settings.database_url == url


def test_our_services_get_every_setting_but_the_data_folder():
    for name in OURS:
        settings = {setting.removesuffix("_FILE") for setting in SERVICES[name]["environment"]}
        assert settings == {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} - {f"{PREFIX}DATA_DIR"}


def test_a_service_gets_exactly_the_secrets_that_it_names():
    for name, service in SERVICES.items():
        named = {value.removeprefix(f"{SECRETS}/") for value in map(str, service.get("environment", {}).values())}
        assert named & set(COMPOSE["secrets"]) == set(service.get("secrets", [])), name


def test_only_the_site_and_the_inbox_are_published_and_only_on_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "mailpit": ["127.0.0.1:8025:8025"]}


def test_the_database_and_redis_have_no_access_to_the_internet():
    assert COMPOSE["networks"]["inside"]["internal"]
    assert {name for name, service in SERVICES.items() if service["networks"] == ["inside"]} == {
        "migrate",
        "beat",
        "postgres",
        "redis",
    }


def test_every_service_is_confined():
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" in service or name in OURS, "our image sets its own user"


def test_every_long_running_service_has_a_health_check_and_restarts():
    for name, service in SERVICES.items():
        is_long_running = name != "migrate"
        assert service["restart"] == ("unless-stopped" if is_long_running else "no"), name
        assert ("healthcheck" in service) == is_long_running, name


def test_third_party_images_have_an_exact_version():
    for name, service in SERVICES.items():
        if name not in OURS:
            assert re.fullmatch(r"[a-z/]+:v?\d+(\.\d+)+(-[a-z]+)?(@sha256:[0-9a-f]{64})?", service["image"]), name
