"""The whole way from a batch to its receipt over any log: a dataset, batches of it, and workers."""

import random
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import running_stack
from contract_maker import simple_contract_source
from hostile_log import HostileLog
from log_subjects import PositionsOfStore, kafka, put
from psycopg import Connection

from catalog.organization import Organization
from catalog.store import add_organization
from hub.exchange.apply.batch import SESSION_SETTINGS, Apply
from hub.exchange.apply.target import Target
from hub.exchange.decoder import Decoder
from hub.exchange.embedded_log import EmbeddedLog
from hub.exchange.erasure_keys import ErasureKeys
from hub.exchange.intake import Intake
from hub.exchange.log import Log
from hub.exchange.position import StoredPositions
from hub.exchange.registry_store import register_contract, register_dataset
from hub.exchange.worker import GROUP, Worker
from hub.release.content import content_digest
from hub.store.connect import connect
from schemas.batch import Limits, sm3_hex, uuid7
from schemas.contract import Contract, parse_contract
from schemas.envelope import HEADER, Envelope, Operation
from schemas.frame import encode
from schemas.national.provider import SoftwareProvider

DATASET, ORGANIZATION = "420000.simple", "tong-ji"
TOPIC = "exchange." + DATASET
SCHEMA = {"code": pl.String, "value": pl.Int64, "note": pl.String, "at": pl.Datetime("us")}
ERASURE_KEYS = ErasureKeys(b"e" * 32, b"n" * 16, SoftwareProvider())
SECONDS_MAX = 60.0
Rows = Sequence[dict[str, object]]
# Threads that stay, for decoding children that took no harm: a child ends with its thread, and takes a second to start.
THREADS = ThreadPoolExecutor(max_workers=4)
_idle = threading.local()


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is handed in."""

    envelope: Envelope
    container: bytes

    def changed(self, **members: Any) -> "Batch":
        """The same with another envelope."""
        return replace(self, envelope=replace(self.envelope, **members))

    def append(self, log: Log, topic: str = TOPIC) -> None:
        """Append it once, whatever comes of it."""
        log.append(topic, str(self.envelope.batch), {HEADER: self.envelope.to_bytes()}, self.container)


@dataclass(slots=True)
class Exchange:
    """A dataset of a database, of the test's own."""

    url: str
    conn: Connection
    contract: Contract

    def batch(self, rows: Rows, *, operation: Operation = "upsert", **members: Any) -> Batch:
        """A right batch, but for what is to be wrong about it."""
        container = encode(self.contract, pl.DataFrame(rows, schema=SCHEMA), operation)
        return Batch(envelope_of(container, len(rows), operation, **members), container)

    @contextmanager
    def worker(self, log: Log, member: str = "m") -> Generator[Worker]:
        """A worker over a log, with sessions and a decoding child of its own."""
        with ExitStack() as parts:
            writer = parts.enter_context(
                closing(connect(self.url, "hub worker", autocommit=True, settings=SESSION_SETTINGS))
            )
            reader = parts.enter_context(closing(connect(self.url, "hub worker reads", autocommit=True)))
            consumer = parts.enter_context(closing(log.consumer(GROUP, member, StoredPositions(reader))))
            decoder = parts.enter_context(lent_decoder())
            apply = Apply(writer, close_share_max=0.05, erasure_key=ERASURE_KEYS.commitment_key)
            yield Worker(writer, log.name, consumer, Intake(reader, "420000"), decoder, apply)

    def run(self, log: Log, workers: int = 1) -> None:
        """Run workers until nothing is unread. Each has a thread of its own."""
        stopping = threading.Event()
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with self.worker(log, f"m{number}") as worker:
                    worker.run(stopping.is_set)
            except BaseException as error:
                failed.append(error)
                raise

        working = [THREADS.submit(work, number) for number in range(workers)]
        try:
            self.wait_until_read(log, failed)
        finally:
            stopping.set()
            wait(working, SECONDS_MAX)

    @staticmethod
    def wait_until_read(log: Log, failed: Sequence[BaseException] = ()) -> None:
        """Wait until the workers' group has no lag."""
        deadline = time.monotonic() + SECONDS_MAX
        while any(one.messages for one in log.lag(GROUP)):
            assert not failed
            assert time.monotonic() < deadline, f"still unread: {log.lag(GROUP)}"
            time.sleep(0.05)

    def digest(self) -> str:
        """Of records and open quarantine."""
        with self.conn.transaction():
            return content_digest(self.conn, [Target(DATASET, self.contract)])

    def receipts(self) -> dict[str, tuple[str, str | None]]:
        """Status and code of refusal of every receipt, by batch."""
        rows = self.conn.execute("SELECT batch::text, status, refusal ->> 'code' FROM receipt").fetchall()
        return {batch: (status, code) for batch, status, code in rows}

    def refusals(self) -> list[str]:
        """Codes of messages that were refused without a receipt, in the order of the log."""
        rows = self.conn.execute("SELECT refusal ->> 'code' FROM refused_message ORDER BY partition, log_offset")
        return [str(row[0]) for row in rows.fetchall()]

    def forget(self) -> None:
        """Empty the store of all that was taken."""
        self.conn.execute(
            'TRUNCATE receipt, refused_message, quarantine, data."420000_simple", data."420000_simple_history" CASCADE'
        )


@contextmanager
def lent_decoder() -> Generator[Decoder]:
    """A decoder of this thread's, kept for the next who asks where nothing is left in it."""
    idle: list[Decoder] = _idle.__dict__.setdefault("decoders", [])
    decoder = idle.pop() if idle else Decoder(Limits())
    try:
        yield decoder
    except BaseException:
        decoder.close()
        raise
    if decoder._tasks:
        decoder.close()
    else:
        idle.append(decoder)


def envelope_of(container: bytes, records: int, operation: Operation, **members: Any) -> Envelope:
    """A right envelope for a container, but for the given members."""
    now = datetime.now(UTC)
    right: dict[str, Any] = {
        "v": 1,
        "hub": "420000",
        "dataset": DATASET,
        "contract": 1,
        "organization": ORGANIZATION,
        "sender": ORGANIZATION,
        "batch": uuid7(now),
        "run": uuid7(now),
        "cut_at": now,
        "operation": operation,
        "records": records,
        "first_row": 0,
        "bytes": len(container),
        "sm3": sm3_hex(container),
        "keys": None,
    }
    return Envelope(**(right | members))


@contextmanager
def exchange_in(database_url: str) -> Generator[Exchange]:
    """An organization with a dataset of the simple contract."""
    with closing(connect(database_url, "test", autocommit=True)) as conn:
        contract = parse_contract(simple_contract_source())
        with conn.transaction():
            add_organization(conn, Organization(ORGANIZATION, "统计局", "Statistics", "province", "420000"))
            register_contract(conn, contract.source)
            register_dataset(conn, DATASET, contract.name, ORGANIZATION)
        yield Exchange(database_url, conn, contract)


@contextmanager
def opened_log(kind: str, database_url: str) -> Generator[Log]:
    """``embedded``, ``kafka``, or ``hostile-<seed>`` with its positions in the store."""
    name, _, seed = kind.partition("-")
    if name == "kafka":
        with kafka(running_stack.kafka_servers(), database_url) as subject:
            yield subject.log
        return
    if name == "embedded":
        with closing(EmbeddedLog(database_url)) as log:
            yield log
        return
    with closing(connect(database_url, "test log", autocommit=True)) as conn:
        yield HostileLog(int(seed), PositionsOfStore(conn))


def row(code: str, value: int | None, minute: int, note: str | None = None) -> dict[str, object]:
    """A record whose version is a minute of 2026."""
    return {"code": code, "value": value, "note": note, "at": datetime(2026, 1, 1) + timedelta(minutes=minute)}  # noqa: DTZ001 - local by contract


def history(exchange: Exchange, seed: int, batches: int = 24) -> list[Batch]:
    """Batches that collide in every way: upserts, deletes, bad records, equal versions, repeats of the same batch."""
    rng = random.Random(seed)
    made: list[Batch] = []
    for _ in range(batches):
        codes = rng.sample("abcdefgh", rng.randint(1, 5))
        rows = [row(code, rng.choice([-1, 1, 2, 3]), rng.randint(1, 6)) for code in codes]
        made.append(exchange.batch(rows, operation=rng.choice(["upsert", "upsert", "upsert", "delete"])))
    return [*made, *rng.sample(made, batches // 4)]


def send(log: Log, batches: Sequence[Batch], topic: str = TOPIC) -> None:
    """Append all, each until it is acknowledged."""
    for batch in batches:
        put(log, topic, str(batch.envelope.batch), batch.container, {HEADER: batch.envelope.to_bytes()})
