"""The keyring, and the key file that the service creates on SQLite."""

import hmac
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Misconfigured
from newsletter.keys import Keyring, from_base64url, hmac_sha256, load_keyring, to_base64url
from newsletter.settings import Settings
from newsletter.upgrade import bring_up_to_date
from tests.clock import NOON

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)


def of(folder: Path, **values: str) -> Keyring:
    return load_keyring(Settings(data_dir=folder, **values))


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_newest_key_makes_and_every_key_verifies():
    keyring = Keyring([NEW, OLD])
    assert keyring.newest == "k2"
    assert list(keyring) == ["k2", "k1"]
    assert keyring.mac("address", b"m") == keyring.mac("address", b"m", key="k2") == Keyring([NEW]).mac("address", b"m")
    assert keyring.mac("address", b"m", key="k1") == Keyring([OLD]).mac("address", b"m")


def test_another_key_purpose_or_message_is_another_mac():
    keyring = Keyring([NEW, OLD])
    cases = [
        (key, purpose, message) for key in keyring for purpose in ("a", "ab", "") for message in (b"", b"b", b"ab")
    ]
    assert len({keyring.mac(purpose, message, key=key) for key, purpose, message in cases}) == len(cases)


def test_an_unknown_key_raises():
    keyring = Keyring([NEW])
    assert "k1" not in keyring
    with pytest.raises(KeyError):
        keyring.mac("address", b"m", key="k1")


def test_the_repr_of_a_keyring_hides_its_keys():
    assert "nnn" not in f"{Keyring([NEW])!r}"


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_our_hmac_equals_the_standard_librarys(key, message):
    assert hmac_sha256(key)(message) == hmac.digest(key, message, "sha256")


@given(st.binary())
def test_base64url_round_trips(data):
    assert from_base64url(to_base64url(data)) == data


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z0-9_=+/ -]{0,9}", fullmatch=True))
def test_only_the_canonical_base64url_is_accepted(written):
    try:
        data = from_base64url(written)
    except ValueError:
        return
    assert to_base64url(data) == written


def test_the_key_file_is_created_once_and_readable_by_its_owner_only(tmp_path):
    folder = tmp_path / "new" / "var"
    first = of(folder).mac("address", b"m")
    kept = folder / "secret_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(kept.read_text()) >= 43
    before = kept.stat().st_mtime_ns
    assert of(folder).mac("address", b"m") == first
    assert kept.stat().st_mtime_ns == before
    assert files(folder) == ["secret_key"]
    assert of(tmp_path / "other").mac("address", b"m") != first


def test_configured_keys_create_no_file(tmp_path):
    assert list(of(tmp_path, secret_keys=f"k7:{'s' * 32}")) == ["k7"]
    assert not files(tmp_path)


def test_threads_that_start_at_once_get_the_same_key(tmp_path):
    crowd = 8
    for attempt in range(25):
        together = Barrier(crowd)

        def start(folder: Path = tmp_path / str(attempt), together: Barrier = together) -> bytes:
            together.wait()
            return of(folder).mac("address", b"m")

        with ThreadPoolExecutor(crowd) as starting:
            assert len({each.result() for each in [starting.submit(start) for _ in range(crowd)]}) == 1
        assert files(tmp_path / str(attempt)) == ["secret_key"]


def test_another_process_reads_the_same_key_file(tmp_path):
    code = "import sys; from tests.test_keys import of, Path; print(of(Path(sys.argv[1])).mac('address', b'm').hex())"
    mine = of(tmp_path).mac("address", b"m").hex()
    root = Path(__file__).parents[1]
    other = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == mine


def use(folder: Path, **values: str) -> Settings:
    """Start once with a database in this folder, or in the one of the URL."""
    settings = Settings(data_dir=folder, **values)
    bring_up_to_date(settings, actor="tests", now=NOON)
    return settings


@pytest.mark.parametrize("place", ["in the data folder", "elsewhere"])
@pytest.mark.parametrize("keys", [{}, {"secret_keys": f"k7:{'s' * 32}"}])
def test_no_key_is_created_beside_a_database_that_was_used_with_one(tmp_path, place, keys):
    elsewhere = {"database_url": f"sqlite:///{tmp_path}/other.db"} if place == "elsewhere" else {}
    folder = tmp_path / "var"
    use(folder, **elsewhere, **keys)
    (folder / "secret_key").unlink(missing_ok=True)
    before = files(folder)
    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"secret_key is missing.* Restore the file from a backup"):
            of(folder, **elsewhere)
        with pytest.raises(Misconfigured, match="secret_key is missing"):
            use(folder, **elsewhere)
    assert files(folder) == before


def test_a_restored_key_is_used_again(tmp_path):
    use(tmp_path)
    (tmp_path / "secret_key").rename(tmp_path / "backup")
    with pytest.raises(Misconfigured):
        use(tmp_path)
    (tmp_path / "backup").rename(tmp_path / "secret_key")
    use(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be read as one" * 99])
def test_a_key_is_created_beside_an_empty_database_but_not_beside_a_damaged_one(tmp_path, content):
    (tmp_path / "newsletter.db").write_bytes(content)
    if content:
        with pytest.raises(Misconfigured, match="cannot be read"):
            of(tmp_path)
        assert files(tmp_path) == ["newsletter.db"]
    else:
        of(tmp_path)
        assert "secret_key" in files(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 43])
def test_a_damaged_key_is_never_replaced(tmp_path, content):
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(Misconfigured, match="backup"):
        of(tmp_path)
    assert (tmp_path / "secret_key").read_bytes() == content


def test_postgresql_without_keys_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(Misconfigured, match="NEWSLETTER_SECRET_KEYS") as refused:
        of(tmp_path, database_url="postgresql://db.example/news")
    code = str(refused.value).partition('python -c "')[2].removesuffix('"')
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert list(of(tmp_path, database_url="postgresql://db.example/news", secret_keys=made)) == ["k1"]
    assert not files(tmp_path)
