"""The keyring, and the key that the embedded service makes for itself."""

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
from newsletter.keys import Keyring, hmac_sha256, keyring, raw, text
from newsletter.settings import Settings

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)


def of(folder: Path, **given: str) -> Keyring:
    return keyring(Settings(data_dir=folder, **given))


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_newest_key_makes_and_every_key_verifies():
    ring = Keyring([NEW, OLD])
    assert ring.newest == "k2"
    assert list(ring) == ["k2", "k1"]
    assert ring.mac("address", b"m") == ring.mac("address", b"m", key="k2") == Keyring([NEW]).mac("address", b"m")
    assert ring.mac("address", b"m", key="k1") == Keyring([OLD]).mac("address", b"m")


def test_another_key_purpose_or_message_is_another_mac():
    ring = Keyring([NEW, OLD])
    cases = [(key, purpose, message) for key in ring for purpose in ("a", "ab", "") for message in (b"", b"b", b"ab")]
    assert len({ring.mac(purpose, message, key=key) for key, purpose, message in cases}) == len(cases)


def test_a_key_that_is_not_in_the_ring_verifies_nothing():
    ring = Keyring([NEW])
    assert "k1" not in ring
    with pytest.raises(KeyError):
        ring.mac("address", b"m", key="k1")


def test_a_keyring_does_not_show_its_keys():
    assert "nnn" not in f"{Keyring([NEW])!r}"


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_mac_is_what_the_standard_library_makes(key, message):
    assert hmac_sha256(key)(message) == hmac.digest(key, message, "sha256")


@given(st.binary())
def test_bytes_as_text_are_the_same_bytes_again(found):
    assert raw(text(found)) == found


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z0-9_=+/ -]{0,9}", fullmatch=True))
def test_bytes_have_one_spelling_only(written):
    try:
        found = raw(written)
    except ValueError:
        return
    assert text(found) == written


def test_the_key_of_an_embedded_service_is_made_once_for_the_owners_eyes_only(tmp_path):
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


def test_keys_that_are_configured_leave_no_file(tmp_path):
    assert list(of(tmp_path, secret_keys=f"k7:{'s' * 32}")) == ["k7"]
    assert not files(tmp_path)


def test_all_who_start_at_once_end_with_the_same_key(tmp_path):
    crowd = 8
    for attempt in range(25):
        together = Barrier(crowd)

        def start(folder: Path = tmp_path / str(attempt), together: Barrier = together) -> bytes:
            together.wait()
            return of(folder).mac("address", b"m")

        with ThreadPoolExecutor(crowd) as starting:
            assert len({each.result() for each in [starting.submit(start) for _ in range(crowd)]}) == 1
        assert files(tmp_path / str(attempt)) == ["secret_key"]


def test_another_process_finds_the_key_that_this_one_made(tmp_path):
    code = "import sys; from tests.test_keys import of, Path; print(of(Path(sys.argv[1])).mac('address', b'm').hex())"
    mine = of(tmp_path).mac("address", b"m").hex()
    root = Path(__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == mine


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
