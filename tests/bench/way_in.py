"""The way in, measured as it is used: connector file → HTTP door → log → workers → stored and receipted.

``make bench BENCH=way-in``. Starts its own hub in a temporary folder, bounded, and stops it. The last line is one JSON
object:

================== =================================================================================================
records_per_s      1,000,000 residents of one CSV file, from the connector's start to the last receipt
ratio_to_copy      that, against a bare COPY + merge of the same rows by one psycopg session on the same server
repush_ratio       the same file again under new batch ids, against the first push
worker_rss_mb      most resident memory of one worker process with its decoding child
api_rss_mb         most resident memory of the API process
rate_5m_to_500k    rate of records 4.5–5.0 M against records 0–0.5 M of one load, keys in random order
================== =================================================================================================
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from bench_hub import BIN, BenchHub
from psycopg import sql

from seeds.bulk import write_residents

BATCH = 25_000
LOAD_SECONDS_MAX = 900
CONNECTOR = """\
dataset: 420000.resident
hub: {url}
token: {{file: {token}}}
source:
  kind: files
  inbox: {inbox}
  formats: [csv]
  settle_seconds: 0
"""


class Hub(BenchHub):
    """The benchmark's hub with the resident dataset."""

    def prepare(self) -> None:
        """Register the organization, contract and dataset; keep the token in a file."""
        shipped = Path(__file__).parents[2] / "schemas" / "population" / "resident" / "v1.avsc"
        added = self.run(
            *("organization", "add", "gong-an", "--name-zh", "公安厅", "--name-en", "Public Security"),
            *("--level", "province", "--region", "420000", "--json"),
        )
        self.run("contract", "register", str(shipped))
        self.run("dataset", "add", "420000.resident", "--contract", "resident", "--organization", "gong-an")
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(json.loads(added)["token"])

    def push(self, file: Path, name: str) -> float:
        """Push one file through a connector with a state of its own; seconds until the last receipt."""
        inbox = self.folder / name
        (inbox / "inbox").mkdir(parents=True)
        os.link(file, inbox / "inbox" / f"{name}.csv")
        configuration = inbox / "connector.yaml"
        configuration.write_text(
            CONNECTOR.format(url=self.url, token=self.folder / "token", inbox=inbox / "inbox"), encoding="utf-8"
        )
        started = time.perf_counter()
        subprocess.run(
            [str(BIN / "connector"), "run", "--once", str(configuration)],
            env=self.environment,
            check=True,
            timeout=LOAD_SECONDS_MAX,
        )
        return time.perf_counter() - started


def bare_copy(hub: Hub, file: Path, records: int) -> float:
    """Records a second of COPY + upsert by one session: same rows, same server, batches of the same size."""
    frame = pl.read_csv(file, infer_schema=False)
    names = [sql.Identifier(name) for name in frame.columns]
    typed = {
        "id_number": 'text COLLATE "C"',
        "birth_date": "date",
        "synthetic": "boolean",
        "updated_at": "timestamp",
    }
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(typed.get(name, "text")))  # pyright: ignore[reportArgumentType] - a closed table of types
        for name in frame.columns
    )
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in frame.columns if name != "id_number"
    )
    copy_in = sql.SQL("COPY bare_staging ({}) FROM STDIN").format(sql.SQL(", ").join(names))
    merge = sql.SQL("INSERT INTO bare SELECT * FROM bare_staging ON CONFLICT (id_number) DO UPDATE SET {}").format(
        updates
    )
    with hub.database() as conn:
        conn.execute(sql.SQL("CREATE TABLE bare ({}, PRIMARY KEY (id_number))").format(definition))
        conn.execute(sql.SQL("CREATE TEMP TABLE bare_staging ({}) ON COMMIT DELETE ROWS").format(definition))
        conn.commit()
        started = time.perf_counter()
        for offset in range(0, records, BATCH):
            rows = frame.slice(offset, BATCH).write_csv(
                separator="\t", include_header=False, null_value="\\N", quote_style="never"
            )
            with conn.cursor() as cursor:
                with cursor.copy(copy_in) as copy:
                    copy.write(rows)
                cursor.execute(merge)
            conn.commit()
        seconds = time.perf_counter() - started
        conn.execute("DROP TABLE bare")
    return records / seconds


def rates_of_load(hub: Hub, run_from: int, part: int) -> float:
    """Rate of the last ``part`` records of the newest load against its first, by when receipts were written."""
    with hub.database() as conn:
        rows = conn.execute(
            "SELECT received, taken_at FROM receipt WHERE id > %s ORDER BY taken_at, id", [run_from]
        ).fetchall()
    total = sum(received for received, _ in rows)

    def seconds_between(low: int, high: int) -> float:
        seen, times = 0, []
        for received, taken_at in rows:
            seen += received
            if low <= seen <= high:
                times.append(taken_at)
        return (times[-1] - times[0]).total_seconds() / max(len(times) - 1, 1)

    return seconds_between(0, part) / seconds_between(total - part, total)


def newest_receipt(hub: Hub) -> int:
    """The highest receipt id so far."""
    with hub.database() as conn:
        row = conn.execute("SELECT coalesce(max(id), 0) FROM receipt").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    """Run all parts and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=5_000_000, help="records of the long load; 0 leaves it out")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    result: dict[str, float | int | None] = {}
    try:
        print(f"generating {given.records:,} residents", file=sys.stderr)
        file = folder / "residents.csv"
        write_residents(file, given.records, 42)
        hub = Hub(folder)
        with hub.started():
            hub.prepare()
            seconds = hub.push(file, "first")
            result["records"] = given.records
            result["records_per_s"] = round(given.records / seconds)
            again = hub.push(file, "again")
            result["repush_ratio"] = round(seconds / again, 2)
            bare = bare_copy(hub, file, given.records)
            result["copy_records_per_s"] = round(bare)
            result["ratio_to_copy"] = round(given.records / seconds / bare, 2)
            if given.large:
                print(f"generating {given.large:,} residents", file=sys.stderr)
                write_residents(file, given.large, 43)
                before = newest_receipt(hub)
                hub.push(file, "large")
                result["rate_5m_to_500k"] = round(rates_of_load(hub, before, given.large // 10), 2)
        result["worker_rss_mb"] = round(hub.worker_rss_max / 2**20)
        result["api_rss_mb"] = round(hub.api_rss_max / 2**20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
