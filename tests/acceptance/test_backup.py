"""Backup and restore: what comes back is what was, and the ledger goes on from where it was sealed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from ledger_maker import KeySigner, opened_sealer
from psycopg import sql
from running_door import OURS, RunningDoor, running

from hub import backup as backup_module
from hub.backup import MANIFEST, Manifest, make_backup, read_manifest, restore_backup
from hub.ledger import checkpoint_store, tree_store
from hub.ledger.errors import WitnessRefused
from hub.ledger.proof import consistency_path, verify_consistency
from hub.ledger.verification import verify_ledger
from hub.ledger.witness import Witness, watch
from hub.store.cluster import Cluster
from hub.store.connect import connect
from hub.store.errors import BackupFailed, BackupUnreadable, MigrationFailed, StoreNotEmpty
from hub.store.migrate import migrate

BATCHES = f"/v1/exchange/{OURS}/batches"
DATA = f'data."{OURS.replace(".", "_")}"'


@pytest.fixture
def empty_url(cluster: Cluster) -> Iterator[str]:
    """Another database, in which nothing ever was."""
    name = "restored"
    cluster.create_database(name)
    yield cluster.url(name)
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def push(door: RunningDoor, *codes: str) -> None:
    rows = [{"code": code, "name": f"某地{code}", "level": 2} for code in codes]
    with door.worker(), door.client(prefer="wait=30") as client:
        answer = client.post(BATCHES, json=rows)
        assert answer.status_code == 200, answer.text


def codes_of(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute(sql.SQL("SELECT code FROM {} ORDER BY code").format(sql.SQL(DATA))).fetchall()  # pyright: ignore[reportArgumentType] - a constant
    return [str(row[0]) for row in rows]


def restored(url: str, backup: Path) -> Manifest:
    """As the command does it."""
    manifest = read_manifest(backup)
    restore_backup(url, backup, manifest, datetime.now(UTC))
    return manifest


def test_a_rehearsal_of_disaster(fresh_door: RunningDoor, empty_url: str, tmp_path: Path):
    key = KeySigner()
    push(fresh_door, "420100", "420200", "not a code")
    with opened_sealer(fresh_door.database_url, key) as sealer:
        while sealer.turn():
            pass
        backup, manifest = make_backup(fresh_door.database_url, "420000", tmp_path / "backups", datetime.now(UTC))
        # What comes after the backup is witnessed as well, and then lost with the store.
        push(fresh_door, "420300")
        while sealer.turn():
            pass
    remembers = Witness("one", KeySigner(), tmp_path / "one.json")
    with closing(connect(fresh_door.database_url, "tests", autocommit=True)) as lost:
        assert watch(lost, remembers, datetime.now(UTC))
    with closing(connect(fresh_door.database_url, "tests")) as lost:
        witnessed = checkpoint_store.newest(lost)
        assert witnessed is not None
        size = manifest.ledger["size"]
        path = consistency_path(size, witnessed.size, tree_store.nodes_of(lost))
    assert witnessed.size > size > 0
    assert restored(empty_url, backup) == manifest
    # The ledger that came back is a prefix of the witnessed one, grown anew from its leaves.
    with closing(connect(empty_url, "tests")) as conn:
        done = verify_ledger(conn, [key.public_pem], {})
        assert (done.findings, done.size, done.root.hex()) == ([], size, manifest.ledger["root"])
        verify_consistency(size, done.root, witnessed.size, witnessed.root, path)
        assert codes_of(conn) == ["420100", "420200"]
        waiting = conn.execute("SELECT count(*) FROM quarantine WHERE state = 'open'").fetchone()
        assert waiting == (1,)
    # Who saw more says so; one that begins anew with the ledger's key goes on from what came back.
    with closing(connect(empty_url, "tests", autocommit=True)) as conn:
        with pytest.raises(WitnessRefused) as refused:
            watch(conn, remembers, datetime.now(UTC))
        assert refused.value.reason == "rollback"
        anew = Witness("one", KeySigner(), tmp_path / "anew.json", key.public_pem)
        assert watch(conn, anew, datetime.now(UTC))
    # It goes on: a department sends again what was lost, and all is sealed in order. From a log in Kafka it came again.
    before = fresh_door.settings
    keys, prefix = before.data_folder / "keys", before.kafka_prefix
    with running(empty_url, keys_folder=keys, kafka_prefix=prefix) as again:
        again.tokens = fresh_door.tokens
        push(again, "420300")
    with opened_sealer(empty_url, key) as sealer:
        while sealer.turn():
            pass
    with closing(connect(empty_url, "tests")) as conn:
        assert codes_of(conn) == ["420100", "420200", "420300"]
        assert tree_store.count_missed(conn) == 0
    with closing(connect(empty_url, "tests")) as conn:
        done = verify_ledger(conn, [key.public_pem], {})
        assert done.findings == []
        assert done.size >= size + 2  # that it was restored, and the receipt


def test_a_backup_is_whole_or_not_there(fresh_door: RunningDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backup_module, "find_all", list)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed) as caught:
        make_backup(fresh_door.database_url, "420000", tmp_path, datetime.now(UTC))
    assert "install postgresql-client" in caught.value.problem
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_backup_or_damaged_touches_nothing(fresh_door: RunningDoor, empty_url: str, tmp_path: Path):
    now = datetime.now(UTC)
    backup, _ = make_backup(fresh_door.database_url, "420000", tmp_path, now)
    with pytest.raises(BackupFailed):  # the same second again: the first one stays
        make_backup(fresh_door.database_url, "420000", tmp_path, now)
    assert [one.name for one in tmp_path.iterdir()] == [backup.name]
    with pytest.raises(StoreNotEmpty):
        restored(fresh_door.database_url, backup)
    damaged = tmp_path / "damaged"
    shutil.copytree(backup, damaged)
    with (damaged / "store.dump").open("r+b") as dump:
        dump.seek(2_000)
        dump.write(b"\x00\xff\x00\xff")
    for wrong in (damaged, tmp_path, tmp_path / "absent"):
        with pytest.raises(BackupUnreadable):
            restored(empty_url, wrong)
    told = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    for change in ({"form": 2}, {"more": 1}):
        (backup / MANIFEST).write_text(json.dumps(told | change), encoding="utf-8")
        with pytest.raises(BackupUnreadable):
            read_manifest(backup)
    with closing(connect(empty_url, "tests")) as conn:
        assert conn.execute("SELECT to_regclass('schema_migration')").fetchone() == (None,)


def test_what_comes_back_other_than_it_was_is_refused(fresh_door: RunningDoor, empty_url: str, tmp_path: Path):
    push(fresh_door, "420100")
    backup, _ = make_backup(fresh_door.database_url, "420000", tmp_path, datetime.now(UTC))
    told = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    told["datasets"][OURS] = "0" * 64
    (backup / MANIFEST).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(BackupFailed) as caught:
        restored(empty_url, backup)
    assert OURS in caught.value.problem
    # What came back is there and is not to be trusted: no hub starts on it.
    with pytest.raises(MigrationFailed):
        migrate(empty_url)
    with pytest.raises(StoreNotEmpty):
        restored(empty_url, backup)
