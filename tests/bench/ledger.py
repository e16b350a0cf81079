"""The ledger, measured: leaves sealed a second, from rows in the store to a committed, signed checkpoint.

``make bench BENCH=ledger``. Starts its own store in a temporary folder, bounded to 20 seconds, and stops it. The last
line is one JSON object:

================== ==============================================================================================
leaves_per_s       500,000 leaves of page releases, read in order, hashed, ordered, tiled and signed, 20,000 at a time
leaf_bytes         bytes of one record
written_per_s      leaves made durable through the group-commit writer, 32 callers that wait for each
write_p99_ms       how long one of them waits
================== ==============================================================================================
"""

import asyncio
import io
import json
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from hub.ledger.leaf import Leaf, Recorded, record
from hub.ledger.leaf_store import read_origin
from hub.ledger.sealer import SESSION_SETTINGS, Sealer
from hub.ledger.writer import LeafWriter
from hub.store.cluster import Cluster
from hub.store.connect import connect
from hub.store.migrate import migrate
from schemas.batch import uuid7
from schemas.national.sm2 import PrivateKey

LEAVES = 500_000
WRITE_SECONDS = 3.0
CALLERS = 32
PAGE = Leaf(
    action="release.page",
    actor="application:01890000-0000-7000-8000-000000000001",
    actor_org="wei-jian",
    object="dataset:420000.resident",
    purpose="settling health insurance",
    grant="01890000-0000-7000-8000-000000000002",
    decision="allowed",
    rules=("tier.department", "grant.fields"),
    rows=10,
    bytes=4_312,
    result_sm3="66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
)


class _Signer:
    """A key in memory."""

    def __init__(self) -> None:
        self._key = PrivateKey.generate()
        self.public_pem = self._key.public.to_pem()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def utc_now() -> datetime:
    return datetime.now(UTC)


def load(url: str, leaves: int) -> int:
    """Put leaves into the store by COPY, as many different ids, one content; bytes of one."""
    with connect(url, "bench") as conn:
        made: Recorded = record(PAGE, read_origin(conn), utc_now())
        text = made.record.hex()
        start = utc_now() - timedelta(seconds=leaves / 10_000)
        with conn.cursor() as cursor, cursor.copy("COPY ledger_leaf (leaf, bytes) FROM STDIN") as copy:
            for first in range(0, leaves, 5_000):
                buffer = io.StringIO()
                for number in range(first, min(first + 5_000, leaves)):
                    buffer.write(f"{uuid7(start + timedelta(microseconds=100 * number))}\t\\\\x{text}\n")
                copy.write(buffer.getvalue())
    with connect(url, "bench", autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE ledger_leaf")
    return len(made.record)


def leaves_per_s(url: str, leaves: int = LEAVES) -> float:
    """Load leaves into a migrated store and seal them; how many a second. Nobody else seals there meanwhile."""
    load(url, leaves)
    with (
        closing(connect(url, "hub sealer", autocommit=True, settings=SESSION_SETTINGS)) as conn,
        closing(connect(url, "hub sealer reads", autocommit=True)) as reader,
    ):
        sealer = Sealer(conn, reader, _Signer(), utc_now)
        if not sealer.begin():
            raise SystemExit("another session seals this ledger")
        begun = time.perf_counter()
        sealed = sealer.turn()
        return sealed / (time.perf_counter() - begun)


async def written_per_s(url: str) -> tuple[float, float]:
    """Leaves a second through the group-commit writer, and the p99 of a caller's wait in milliseconds."""
    writer = LeafWriter(url, utc_now)
    await writer.open()
    waits: list[float] = []
    end = time.perf_counter() + WRITE_SECONDS

    async def call() -> None:
        while (begun := time.perf_counter()) < end:
            await writer.awrite(PAGE)
            waits.append(time.perf_counter() - begun)

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    await writer.close()
    waits.sort()
    return len(waits) / WRITE_SECONDS, waits[int(len(waits) * 0.99)] * 1000


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, Cluster(Path(folder) / "postgres") as cluster:
        url = cluster.url()
        migrate(url)
        written, p99 = uvloop.run(written_per_s(url))
        print(f"written through the writer: {written:,.0f}/s, p99 {p99:.1f} ms")
        sealed = leaves_per_s(url)
        with connect(url, "bench") as conn:
            size = len(record(PAGE, read_origin(conn), utc_now()).record)
        print(f"sealed: {sealed:,.0f}/s of {size} bytes")
        figures = {"leaves_per_s": sealed, "leaf_bytes": size, "written_per_s": written, "write_p99_ms": p99}
        print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
