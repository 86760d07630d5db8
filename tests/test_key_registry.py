"""The key registry: a process refuses to start if a key was lost or replaced."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from newsletter import key_registry
from newsletter.consent.ledger.seals import Seal
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.errors import Misconfigured
from newsletter.key_registry import KnownKey
from newsletter.keys import Keyring
from newsletter.migrations.schema import metadata
from newsletter.settings import Settings
from newsletter.store.database import Begin
from newsletter.web import create_app
from tests.clock import NOON
from tests.whole_service import NoWakeups
from workers import context

OLD, NEW = ("k1", "o" * 40), ("k2", "n" * 40)


def start(begin: Begin, *keys: tuple[str, str], days: int = 0) -> None:
    with begin() as session:
        key_registry.check(session, Keyring(keys), now=NOON + timedelta(days=days))


def known(begin: Begin) -> list[str]:
    with begin() as session:
        return list(session.scalars(select(KnownKey.id).order_by(KnownKey.id)))


def by_a_suppression(begin: Begin) -> None:
    with begin() as session:
        suppressions.add(session, Keyring([OLD]), "ana@example.org", Reason.NEVER, now=NOON)


def by_a_seal(begin: Begin) -> None:
    with begin() as session:
        session.add(Seal(previous_id=None, root=b"r" * 32, size=1, key_id="k1", mac=b"m" * 32, sealed_at=NOON))


def test_the_same_keys_are_accepted_again_and_new_ones_may_be_added(begin):
    for keys in ([OLD], [OLD], [NEW, OLD], [OLD, NEW]):
        start(begin, *keys)
    assert known(begin) == ["k1", "k2"]


@pytest.mark.parametrize("name", [by_a_suppression, by_a_seal])
def test_a_key_that_rows_name_must_not_be_removed(begin, name):
    start(begin, OLD)
    name(begin)
    start(begin, NEW, OLD)
    with pytest.raises(Misconfigured, match="k1 is missing") as refused:
        start(begin, NEW)
    assert "oooo" not in str(refused.value)
    start(begin, NEW, OLD)


def test_a_key_that_no_row_names_may_be_removed_and_its_id_reused(begin):
    start(begin, OLD)
    start(begin, NEW)
    assert known(begin) == ["k2"]
    start(begin, ("k1", "x" * 40), NEW)
    assert known(begin) == ["k1", "k2"]


def test_another_key_under_a_registered_id_is_refused(begin):
    start(begin, OLD)
    with pytest.raises(Misconfigured, match="k1 is another key than before"):
        start(begin, NEW, ("k1", "x" * 40))
    assert known(begin) == ["k1"]
    start(begin, OLD)


def test_every_table_that_names_a_key_is_checked():
    naming = {table.name for table in metadata.sorted_tables if "key_id" in table.columns}
    assert naming == {row.__tablename__ for row in key_registry.TABLES_NAMING_KEYS}


def test_the_registry_does_not_store_the_key_itself(begin):
    start(begin, OLD)
    with begin() as session:
        assert b"oooo" not in session.scalars(select(KnownKey)).one().mac


def test_several_processes_may_start_at_once(begin):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: start(begin, NEW, OLD), range(8)))
    assert known(begin) == ["k1", "k2"]


def test_neither_site_nor_workers_start_without_a_key_that_letters_were_sent_with(service, tmp_path):
    service.newsletter()
    service.reader("ana@example.org")
    url = service.site.settings.database_url
    without = Settings(database_url=url, data_dir=tmp_path, secret_keys=f"k2:{'n' * 40}")
    with pytest.raises(Misconfigured, match="k1 is missing"):
        context.build(without)
    with pytest.raises(Misconfigured, match="k1 is missing"), TestClient(create_app(without, NoWakeups())):
        pass
    rotated = Settings(database_url=url, data_dir=tmp_path, secret_keys=f"k2:{'n' * 40},k1:{'s' * 40}")
    context.build(rotated).close()
    with TestClient(create_app(rotated, NoWakeups())) as browser:
        assert browser.get("/").status_code == 200


def test_a_lost_key_file_is_not_silently_replaced(sqlite_url, tmp_path):
    settings = Settings(database_url=sqlite_url, data_dir=tmp_path)
    context.build(settings).close()
    (tmp_path / "secret_key").unlink()
    with pytest.raises(Misconfigured, match="secret_key"):
        context.build(settings)
