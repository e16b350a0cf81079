"""What a connector must not forget, in one SQLite file: runs, batches, positions, what the checks found.

A run is the reading of one item: it has an id and ``cut_at``, fixed when it begins and kept when it is resumed. A batch
and the position behind it are written in one transaction, before the batch is sent.
"""

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from connectors.errors import StateBusy, StateForeign
from schemas.envelope import Envelope, Operation

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), dataset TEXT NOT NULL, hub TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS run (
  id TEXT PRIMARY KEY, item TEXT NOT NULL, identity TEXT NOT NULL, operation TEXT NOT NULL, cut_at TEXT NOT NULL,
  contract INTEGER NOT NULL, position TEXT, records INTEGER NOT NULL DEFAULT 0, parts INTEGER NOT NULL DEFAULT 0,
  rows_read INTEGER NOT NULL DEFAULT 0, rows_bad INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
  complete INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'open', summary TEXT
);
CREATE TABLE IF NOT EXISTS batch (
  id TEXT PRIMARY KEY, run TEXT NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting', receipt TEXT
);
CREATE INDEX IF NOT EXISTS batch_run ON batch (run);
CREATE TABLE IF NOT EXISTS position (
  item TEXT NOT NULL, operation TEXT NOT NULL, identity TEXT NOT NULL, position TEXT NOT NULL,
  PRIMARY KEY (item, operation)
);
CREATE TABLE IF NOT EXISTS finding (run TEXT NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS finding_run ON finding (run);
CREATE TABLE IF NOT EXISTS finding_count (
  run TEXT NOT NULL, code TEXT NOT NULL, field TEXT NOT NULL, severity TEXT NOT NULL, reason TEXT NOT NULL,
  rows INTEGER NOT NULL, PRIMARY KEY (run, code, field, reason)
);
"""
FINDINGS_MAX = 10_000
RUNS_KEPT = 200

BatchStatus = Literal["waiting", "acknowledged", "refused"]
RunStatus = Literal["open", "done", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of one item, as far as it has come."""

    id: str
    item: str
    identity: str
    operation: Operation
    cut_at: datetime
    contract: int
    position: str | None
    records: int
    parts: int
    rows_read: int
    rows_bad: int
    seconds: float
    complete: bool
    status: RunStatus
    summary: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason and some rows it was found in; ``rows`` counts them all."""

    code: str
    field: str
    severity: str
    reason: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run has come with one chunk."""

    position: str | None
    rows_read: int
    rows_bad: int
    findings: Sequence[Finding]
    examples: Sequence[Mapping[str, Any]]


class State:
    """The SQLite file of one connector. Threads may share it."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = threading.Lock()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def bind(self, dataset: str, hub: str) -> None:
        """The state belongs to one dataset of one hub (region code).

        Raises:
            StateForeign: it belongs to another.
        """
        with self._transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO identity VALUES (1, ?, ?)", (dataset, hub))
            found = sql.execute("SELECT dataset, hub FROM identity").fetchone()
        if found != (dataset, hub):
            raise StateForeign(str(self.folder), "/".join(found), f"{dataset}/{hub}")

    # Runs

    def begin(self, run: Run) -> None:
        """Write down a run before anything of it is made."""
        values = (run.id, run.item, run.identity, run.operation, run.cut_at.isoformat(), run.contract, run.position)
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO run (id, item, identity, operation, cut_at, contract, position)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def advance(self, run: str, step: Advance, envelopes: Sequence[Envelope], *, complete: bool = False) -> None:
        """Batches that lie in the outbox, the position behind them and what was found, all or nothing."""
        records, parts = sum(one.records for one in envelopes), len(envelopes)
        with self._transaction() as sql:
            sql.executemany(
                "INSERT INTO batch (id, run, records, bytes) VALUES (?, ?, ?, ?)",
                [(one.batch, run, one.records, one.bytes) for one in envelopes],
            )
            sql.execute(
                "UPDATE run SET position = coalesce(?, position), records = records + ?, parts = parts + ?,"
                " rows_read = rows_read + ?, rows_bad = rows_bad + ?, complete = ? WHERE id = ?",
                (step.position, records, parts, step.rows_read, step.rows_bad, complete, run),
            )
            sql.executemany(
                "INSERT INTO finding_count VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (run, code, field, reason) DO UPDATE SET rows = rows + excluded.rows",
                [(run, one.code, one.field, one.severity, _text(one.reason), one.rows) for one in step.findings],
            )
            sql.executemany(
                "INSERT INTO finding VALUES (?, ?, ?)", [(run, one["row"], _text(one)) for one in step.examples]
            )

    def complete(self, run: str) -> None:
        """All of the item is read and lies in the outbox."""
        with self._transaction() as sql:
            sql.execute("UPDATE run SET complete = 1 WHERE id = ?", (run,))

    def spend(self, run: str, seconds: float) -> None:
        """Add to the time a run took."""
        with self._transaction() as sql:
            sql.execute("UPDATE run SET seconds = seconds + ? WHERE id = ?", (seconds, run))

    def end(self, run: Run, status: RunStatus, summary: Mapping[str, Any]) -> None:
        """Close a run; the position of one that is done is kept for the next item of the name."""
        with self._transaction() as sql:
            sql.execute("UPDATE run SET status = ?, summary = ? WHERE id = ?", (status, _text(summary), run.id))
            if status == "done" and run.position is not None:
                sql.execute(
                    "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)",
                    (run.item, run.operation, run.identity, run.position),
                )
            # Receipts and findings are in the report by now.
            sql.execute("DELETE FROM finding WHERE run = ?", (run.id,))
            sql.execute("DELETE FROM finding_count WHERE run = ?", (run.id,))
            sql.execute(
                "DELETE FROM batch WHERE status <> 'waiting' AND run NOT IN (SELECT id FROM run WHERE status = 'open')"
            )
            sql.execute(
                "DELETE FROM run WHERE status <> 'open' AND id NOT IN (SELECT id FROM run ORDER BY id DESC LIMIT ?)",
                (RUNS_KEPT,),
            )

    def forget(self, run: Run) -> None:
        """A run that found nothing leaves nothing, but for its position."""
        self.end(run, "done", {})
        with self._transaction() as sql:
            sql.execute("DELETE FROM run WHERE id = ?", (run.id,))

    def run(self, run: str) -> Run:
        """A run by its id; KeyError where there is none."""
        for found in self._runs("SELECT * FROM run WHERE id = ?", (run,)):
            return found
        raise KeyError(run)

    def open_runs(self) -> list[Run]:
        """Runs that were begun and not ended, oldest first."""
        return self._runs("SELECT * FROM run WHERE status = 'open' ORDER BY id", ())

    def last_runs(self, limit: int) -> list[Run]:
        """The newest runs first."""
        return self._runs("SELECT * FROM run ORDER BY id DESC LIMIT ?", (limit,))

    def _runs(self, statement: str, parameters: Sequence[object]) -> list[Run]:
        return [_run(row) for row in self._rows(statement, parameters)]

    def position(self, item: str, identity: str, operation: Operation) -> str | None:
        """Where the last finished item of this name and identity ended."""
        statement = "SELECT position FROM position WHERE item = ? AND identity = ? AND operation = ?"
        found = self._rows(statement, (item, identity, operation))
        return str(found[0][0]) if found else None

    def cut_at(self, now: datetime) -> datetime:
        """``now``, or just after the last run's where the clock went backwards: versions must not fall."""
        found = self._rows("SELECT max(cut_at) FROM run")
        last = found[0][0]
        return now if last is None else max(now, datetime.fromisoformat(last) + timedelta(microseconds=1))

    # Batches

    def settle(self, batch: str, status: BatchStatus, receipt: Mapping[str, Any] | None = None) -> None:
        """The hub acknowledged a batch, or refused it."""
        with self._transaction() as sql:
            values = (status, None if receipt is None else _text(receipt), batch)
            sql.execute("UPDATE batch SET status = ?, receipt = coalesce(?, receipt) WHERE id = ?", values)

    def batches(self, run: str) -> dict[str, tuple[BatchStatus, Mapping[str, Any] | None]]:
        """A run's batches in order, each with its receipt if that is known."""
        found = self._rows("SELECT id, status, receipt FROM batch WHERE run = ? ORDER BY rowid", (run,))
        return {name: (status, json.loads(receipt) if receipt else None) for name, status, receipt in found}

    def waiting(self) -> list[str]:
        """Batches that are not acknowledged, oldest first."""
        return [str(name) for (name,) in self._rows("SELECT id FROM batch WHERE status = 'waiting' ORDER BY rowid")]

    def has_refused(self, run: str) -> bool:
        """Whether the hub refused one of a run's batches."""
        return bool(self._rows("SELECT 1 FROM batch WHERE run = ? AND status = 'refused' LIMIT 1", (run,)))

    # Findings

    def examples_kept(self, run: str) -> int:
        """How many rows are kept as examples; at most FINDINGS_MAX."""
        return int(self._rows("SELECT count(*) FROM finding WHERE run = ?", (run,))[0][0])

    def findings(self, run: str) -> list[Finding]:
        """What the checks found in a run, the most frequent first."""
        statement = "SELECT code, field, severity, reason, rows FROM finding_count WHERE run = ? ORDER BY rows DESC"
        return [
            Finding(code, field, severity, json.loads(reason), rows)
            for code, field, severity, reason, rows in self._rows(statement, (run,))
        ]

    def examples(self, run: str) -> list[Mapping[str, Any]]:
        """The first rows that were found bad, each with its reason."""
        found = self._rows("SELECT content FROM finding WHERE run = ? ORDER BY rowid", (run,))
        return [json.loads(content) for (content,) in found]


@contextmanager
def opened_state(folder: Path, *, exclusive: bool = True) -> Generator[State]:
    """The state in a folder, made where it is not there; one connector at a time.

    Raises:
        StateBusy: another connector works in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if exclusive:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateBusy(str(folder)) from None
        # Transactions are opened by hand, and every use is under the state's own lock.
        connection = sqlite3.connect(folder / "state.sqlite", isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            yield State(connection, folder)
        finally:
            connection.close()
    finally:
        os.close(descriptor)


def _run(row: Sequence[Any]) -> Run:
    values = dict(zip(Run.__slots__, row, strict=True))
    values["cut_at"] = datetime.fromisoformat(values["cut_at"])
    values["complete"] = bool(values["complete"])
    values["summary"] = None if values["summary"] is None else json.loads(values["summary"])
    return Run(**values)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
