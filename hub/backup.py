"""Backup and restore of a store that a dump suits, and the proof that what came back is what was.

A backup is a folder: ``store.dump`` (PostgreSQL's custom format) and ``manifest.json``, which says of the same snapshot
what each dataset held and how far the ledger was sealed. Restored is into an empty store; the list of its migrations,
without which no hub starts on it, comes back last, after everything was held to the manifest. The hub's keys are no
part of it: they are backed up apart. With the log in Kafka the workers read on from the positions that came back, so
that what was taken since comes again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from catalog import store as catalog_store
from hub.acts.organizations import OPERATOR
from hub.exchange.apply.target import Target
from hub.exchange.registry_store import contract_of
from hub.ledger import tree_store
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.ledger.tree import EMPTY_ROOT, range_root
from hub.release.content import content_digest
from hub.store.backup_store import export_snapshot, is_empty, migration_number
from hub.store.connect import connect
from hub.store.errors import BackupFailed, BackupUnreadable, StoreNotEmpty
from hub.store.install import find_all

DUMP, MANIFEST = "store.dump", "manifest.json"
FORM: Final = 1
READ_BYTES: Final = 1024 * 1024
SECONDS_MAX: Final = 6 * 3600
_LAST: Final = "schema_migration"
# Comments and tables of extensions are their owner's, who is not the hub; the new database has them already.
_LEFT_OUT: Final = ("COMMENT - EXTENSION", " spatial_ref_sys ", f" TABLE DATA public {_LAST} ")
_OF_LIBPQ: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Args:
        form: of this file.
        hub: whose store it is.
        made_at: when, RFC 3339.
        migration: number of the last migration.
        dump_sm3: of the dump.
        datasets: SM3 of the content of each dataset, by its id.
        ledger: origin, size and root of the sealed tree.
    """

    form: int
    hub: str
    made_at: str
    migration: int
    dump_sm3: str
    datasets: Mapping[str, str]
    ledger: Mapping[str, Any]


def make_backup(url: str, hub: str, into: Path, now: datetime) -> tuple[Path, Manifest]:
    """Make a backup in a folder of its own below ``into``; it stands there under its name when it is complete.

    Raises:
        BackupFailed: with what PostgreSQL's program said.
    """
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"hub-{now:%Y%m%dT%H%M%SZ}"
    part = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".unfinished", dir=into))
    try:
        with connect(url, "hub backup") as conn:
            snapshot = export_snapshot(conn)
            _run("pg_dump", conn, "--format=custom", f"--snapshot={snapshot}", f"--file={part / DUMP}")
            made = _manifest_of(conn, hub, now, _sm3_of(part / DUMP))
        (part / MANIFEST).write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
        for file in (part / DUMP, part / MANIFEST, part):
            _force_to_disk(file)
        done = into / name
        part.rename(done)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BackupFailed(program="hub backup", problem=error.strerror or type(error).__name__) from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _force_to_disk(into)
    return done, made


def restore_backup(url: str, backup: Path, manifest: Manifest, now: datetime) -> None:
    """Bring a backup back into an empty store, and hold what came to what its manifest says.

    Args:
        url: of the store.
        backup: where it is.
        manifest: as ``read_manifest`` read it, before any store was opened for it.
        now: when.

    Raises:
        StoreNotEmpty: something is there already.
        BackupFailed: PostgreSQL refused it, or what came back is not what was.
    """
    with connect(url, "hub restore", autocommit=True) as conn:
        if not is_empty(conn):
            raise StoreNotEmpty
        _bring_back(conn, backup / DUMP)
        with conn.transaction():
            tree_store.number_anew(conn)
            _hold_to(conn, manifest)
            append(conn, _leaf_of(manifest), now)
        _run("pg_restore", conn, *_into(conn), "--data-only", f"--table={_LAST}", str(backup / DUMP))


def _bring_back(conn: Connection, dump: Path) -> None:
    """All but what comes last, in one transaction."""
    with tempfile.NamedTemporaryFile("w", prefix="hub-restore-", encoding="utf-8") as wanted:
        listed = _run("pg_restore", conn, "--list", str(dump)).splitlines()
        wanted.write("\n".join(one for one in listed if not any(part in one for part in _LEFT_OUT)))
        wanted.flush()
        _run("pg_restore", conn, *_into(conn), f"--use-list={wanted.name}", str(dump))


def _into(conn: Connection) -> Sequence[str]:
    return ("--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={conn.info.dbname}")


def _leaf_of(manifest: Manifest) -> Leaf:
    return Leaf(
        action="store.restored",
        actor=OPERATOR.id,
        object=f"backup:{manifest.made_at}",
        object_version=f"ledger size {manifest.ledger['size']}",
        result_sm3=manifest.dump_sm3,
    )


def read_manifest(backup: Path) -> Manifest:
    """What a backup says of itself, once its dump is what it was.

    Raises:
        BackupUnreadable: it is none, is damaged, or of a later form.
    """
    try:
        members = json.loads((backup / MANIFEST).read_bytes())
        manifest = Manifest(**members)
        sm3 = _sm3_of(backup / DUMP)
    except (OSError, ValueError, TypeError) as error:
        raise BackupUnreadable(backup=str(backup), problem=type(error).__name__) from None
    if manifest.form != FORM:
        raise BackupUnreadable(backup=str(backup), problem=f"form {manifest.form}")
    if sm3 != manifest.dump_sm3:
        raise BackupUnreadable(backup=str(backup), problem="the dump is not what the manifest says")
    return manifest


def _manifest_of(conn: Connection, hub: str, now: datetime, dump_sm3: str) -> Manifest:
    return Manifest(
        form=FORM,
        hub=hub,
        made_at=now.isoformat(timespec="seconds"),
        migration=migration_number(conn),
        dump_sm3=dump_sm3,
        datasets=_contents(conn),
        ledger=_sealed(conn),
    )


def _contents(conn: Connection) -> dict[str, str]:
    datasets = catalog_store.list_datasets(conn)
    return {one.id: content_digest(conn, [Target(one.id, contract_of(conn, one))]) for one in datasets}


def _sealed(conn: Connection) -> dict[str, Any]:
    head = tree_store.read_head(conn)
    root = range_root(0, head.size, tree_store.nodes_of(conn)) if head.size else EMPTY_ROOT
    return {"origin": head.origin, "size": head.size, "root": root.hex()}


def _hold_to(conn: Connection, manifest: Manifest) -> None:
    found = (_contents(conn), _sealed(conn))
    if found != (dict(manifest.datasets), dict(manifest.ledger)):
        differ = [one for one, sm3 in manifest.datasets.items() if found[0].get(one) != sm3]
        told = ", ".join(differ) if differ else "the ledger"
        raise BackupFailed(program="pg_restore", problem=f"what came back is not what was: {told}")


def _run(program: str, conn: Connection, *arguments: str) -> str:
    """Run one of PostgreSQL's programs on a connection's database.

    Addresses and secrets go by its environment, which other users cannot read. It is of the server's own version where
    that is here: a later one may ask the server for what it does not know.

    Raises:
        BackupFailed: it is not there, or it failed.
    """
    there = find_all()
    of_server = [one for one in there if one.major == conn.info.server_version // 10_000]
    folder = next((one.folder for one in (*of_server, *there) if (one.folder / program).exists()), None)
    command = shutil.which(program) if folder is None else str(folder / program)
    if command is None:
        raise BackupFailed(program=program, problem="it is not on this machine; install postgresql-client")
    parts = {**conninfo_to_dict(conn.info.dsn), "password": conn.info.password}
    told = {variable: str(parts[name]) for name, variable in _OF_LIBPQ.items() if parts.get(name)}
    try:
        done = subprocess.run(
            [command, *arguments],
            env={**os.environ, **told, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(program=program, problem=f"it did not end within {SECONDS_MAX // 3600} hours") from None
    if done.returncode:
        # Its sentences name objects; a line of data would come after COPY or DETAIL, which are left out.
        lines = [one for one in done.stderr.splitlines() if "error" in one.lower()]
        raise BackupFailed(program=program, problem=" ".join(lines[:2])[:300] or f"exit code {done.returncode}")
    return done.stdout


def _sm3_of(file: Path) -> str:
    digest = hashlib.new("sm3")
    with file.open("rb") as opened:
        while part := opened.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _force_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
