"""Backup and restore of a store that a dump suits, and the proof that what came back is what was.

A backup is a folder: ``store.dump`` (PostgreSQL's custom format) and ``manifest.json``, which says of the same snapshot
what each dataset held and how far the ledger was sealed. Restored is into an empty store, whole or not at all, and
then everything is held to the manifest. The hub's keys are no part of it: they are backed up apart. With the log in
Kafka the workers read on from the positions that came back, so that what was taken since comes again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from catalog import store as catalog_store
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
from hub.store.install import best, find_all

DUMP, MANIFEST = "store.dump", "manifest.json"
FORM: Final = 1
READ_BYTES: Final = 1024 * 1024
SECONDS_MAX: Final = 6 * 3600
# Theirs who owns the extensions, who is not the hub; the new database has them already.
_OF_EXTENSIONS: Final = ("COMMENT - EXTENSION", " spatial_ref_sys ")
_OF_LIBPQ: Final = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
_SECRETS: Final = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}


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
            _run("pg_dump", url, "--format=custom", f"--snapshot={snapshot}", f"--file={part / DUMP}")
            made = _manifest_of(conn, hub, now, _sm3_of(part / DUMP))
        (part / MANIFEST).write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
        for file in (part / DUMP, part / MANIFEST, part):
            _force_to_disk(file)
        done = into / name
        part.rename(done)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _force_to_disk(into)
    return done, made


def restore_backup(url: str, backup: Path, now: datetime) -> Manifest:
    """Bring a backup back into an empty store, and hold what came to what its manifest says.

    Raises:
        BackupUnreadable: it is none, or not as it was made; nothing was touched.
        StoreNotEmpty: something is there already.
        BackupFailed: PostgreSQL refused it, or what came back is not what was.
    """
    manifest = read_manifest(backup)
    with connect(url, "hub restore") as conn:
        if not is_empty(conn):
            raise StoreNotEmpty
    with tempfile.NamedTemporaryFile("w", prefix="hub-restore-", encoding="utf-8") as wanted:
        listed = _run("pg_restore", url, "--list", str(backup / DUMP)).splitlines()
        wanted.write("\n".join(one for one in listed if not any(part in one for part in _OF_EXTENSIONS)))
        wanted.flush()
        options = ("--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={_name(url)}")
        _run("pg_restore", url, *options, f"--use-list={wanted.name}", str(backup / DUMP))
    with connect(url, "hub restore") as conn:
        tree_store.number_anew(conn)
        _hold_to(conn, manifest)
        leaf = Leaf(
            action="store.restored",
            actor="operator",
            object=f"backup:{manifest.made_at}",
            object_version=f"ledger size {manifest.ledger['size']}",
            result_sm3=manifest.dump_sm3,
        )
        append(conn, leaf, now)
    return manifest


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


def _run(program: str, url: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs; addresses and secrets go by its environment, which other users cannot read.

    Raises:
        BackupFailed: it is not there, or it failed.
    """
    postgres = best(find_all(), None) or next(iter(find_all()), None)
    found = None if postgres is None else postgres.program(program)
    command = found if found is not None and os.access(found, os.X_OK) else shutil.which(program)
    if command is None:
        raise BackupFailed(program=program, problem="it is not on this machine; install postgresql-client")
    parts = conninfo_to_dict(url)
    told = {variable: str(parts[name]) for name, variable in (_OF_LIBPQ | _SECRETS).items() if parts.get(name)}
    environment = {**os.environ, **told, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [command, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    if done.returncode:
        # Its sentences name objects; a line of data would come after COPY or DETAIL, which are left out.
        lines = [one for one in done.stderr.splitlines() if "error" in one.lower()]
        raise BackupFailed(program=program, problem=" ".join(lines[:2])[:300] or f"exit code {done.returncode}")
    return done.stdout


def _name(url: str) -> str:
    return str(conninfo_to_dict(url).get("dbname") or "")


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
