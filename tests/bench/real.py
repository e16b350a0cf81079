"""The way in through real Kafka, beside Kafka Connect with Debezium's JDBC sink into the same PostgreSQL.

``make bench BENCH=real``. Uses the stack of ``make stack`` (starts it where it does not run) with databases and topics
of its own, which it removes. Both sides drain a topic of two partitions that was filled beforehand with the same
1,000,000 residents, producers stopped, everything on the same two cores, broker included; they alternate, three rounds,
medians.
Ours are batches of 25,000 with all their checks, receipts and leaves; the sink's are records of 12 text fields as JSON
with their schema, unchecked, into a table without an index but its key. The same residents as single records in
Confluent framing, as other tools write them, are drained by two workers once a round, too. A rate counts from the first
records there to the last, so that neither pays for starting. The last line is one JSON object:

================= ==================================================================================================
records_per_s     records a second of two workers
x_jdbc_sink       that, against the sink
two_workers_x     two workers against one
sink_per_s        records a second of the sink
framed_per_s      single records a second of two workers
================= ==================================================================================================
"""

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import fastavro
import jdbc_sink
import polars as pl
import psycopg
from bench_hub import BIN
from exchange_maker import envelope_of
from kafka import KafkaProducer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from catalog.store import find_dataset
from connectors.batch_maker import BatchMaker
from deploy.stack.stack import Stack, Standing
from hub.acts.subjects import versions
from hub.exchange.kafka_log import KafkaLog
from hub.exchange.kafka_log_cluster import KafkaCluster, KafkaOptions
from hub.store.address import read_password
from hub.store.cluster import ROLE, Cluster
from hub.store.migrate import migrate
from schemas.contract import Contract, load_shipped
from schemas.envelope import HEADER
from seeds import persons

FOLDER = Path(__file__).parents[2] / ".stack"
BATCH, BATCH_BYTES = 25_000, 4 * 1024 * 1024
SCHEMA_ID = 1  # in an empty registry
DATASET, ORGANIZATION = "420000.resident", "gong-an"
TABLE, SINK_TOPIC = "sink_resident", "sink.resident"
COUNT_OURS: LiteralString = "SELECT coalesce(sum(received), 0) FROM receipt"
COUNT_SINK: LiteralString = "SELECT count(*) FROM sink_resident"
LOOK_SECONDS = 0.5
DRAIN_SECONDS_MAX = 600


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """One run: what was filled, and how it is drained."""

    def __init__(self, standing: Standing, folder: Path, records: int) -> None:
        self.records = records
        self.folder = folder
        self.cluster = Cluster(FOLDER / "postgres")
        self.options = KafkaOptions(
            standing.settings()["HUB_KAFKA_SERVERS"], prefix=f"bench-{os.getpid()}.", message_bytes_max=8 * 1024 * 1024
        )
        self.framed = replace(self.options, prefix=f"bench-{os.getpid()}-framed.")
        self.databases = 0

    # Filling ---------------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """All topics, from the same residents."""
        frame = persons.residents(self.records, 42)
        contract = next(one for one in load_shipped() if one.name == "resident")
        self._fill_batches(frame, contract)
        self._fill_records(frame)
        self._fill_framed(frame, contract)

    def _fill_batches(self, frame: pl.DataFrame, contract: Contract) -> None:
        maker = BatchMaker(contract, "upsert", "send", BATCH_BYTES)
        with self.database() as url, closing(KafkaLog(self.options, url)) as log:
            log.ensure_topic(f"exchange.{DATASET}", 2)
            for first in range(0, frame.height, BATCH):
                now = datetime.now(UTC)
                for made in maker.make(frame.slice(first, BATCH), first, now).batches:
                    members = {"dataset": DATASET, "organization": ORGANIZATION, "sender": ORGANIZATION}
                    envelope = envelope_of(made.container, made.records, "upsert", first_row=first, **members)
                    log.append(f"exchange.{DATASET}", envelope.batch, {HEADER: envelope.to_bytes()}, made.container)

    def _fill_records(self, frame: pl.DataFrame) -> None:
        cluster = KafkaCluster(self.options)
        cluster.make(SINK_TOPIC, 2)
        producer = KafkaProducer(linger_ms=20, batch_size=512 * 1024, **self.options.connection())
        texts = pl.read_csv(frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.6f").encode(), infer_schema=False)
        for number, row in enumerate(texts.iter_rows()):
            producer.send(cluster.wire(SINK_TOPIC), value=jdbc_sink.message(texts.columns, row), partition=number % 2)
        producer.flush()
        producer.close()
        cluster.close()

    def _fill_framed(self, frame: pl.DataFrame, contract: Contract) -> None:
        cluster = KafkaCluster(self.framed)
        topic = cluster.make(f"exchange.{DATASET}", 2).name
        schema = fastavro.parse_schema(contract.avro_schema())
        head = b"\x00" + SCHEMA_ID.to_bytes(4, "big")
        producer = KafkaProducer(linger_ms=20, batch_size=512 * 1024, **self.framed.connection())
        for number, row in enumerate(frame.iter_rows(named=True)):
            body = io.BytesIO()
            fastavro.schemaless_writer(body, schema, row)
            producer.send(cluster.wire(topic), value=head + body.getvalue(), partition=number % 2)
        producer.flush()
        producer.close()
        cluster.close()

    # Draining --------------------------------------------------------------------------------------------------------

    def drain(self, workers: int, *, framed: bool = False) -> float:
        """Records a second of so many workers."""
        with self.database() as url:
            environment = self._environment(url, (self.framed if framed else self.options).prefix)
            self._register(environment)
            if framed:
                self._register_schema(url)
            log = (self.folder / "workers.log").open("ab")
            command = [str(BIN / "hub"), "worker"]
            running = [
                subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
                for _ in range(workers)
            ]
            try:
                return self._rate(url, COUNT_OURS, lambda: all(one.poll() is None for one in running))
            finally:
                for one in running:
                    one.terminate()
                for one in running:
                    one.wait(60)
                log.close()

    def drain_by_sink(self, libs: Path) -> float:
        """Records a second of the JDBC sink."""
        with self.database() as url:
            with psycopg.connect(url) as conn:
                columns = (sql.SQL("{} text").format(sql.Identifier(one)) for one in persons.residents(1, 1).columns)
                table = sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (id_number))")
                conn.execute(table.format(sql.Identifier(TABLE), sql.SQL(", ").join(columns)))
            parts = conninfo_to_dict(url)
            sink = jdbc_sink.Sink(
                servers=self.options.servers,
                topic=f"{self.options.prefix}{SINK_TOPIC}",
                jdbc_url=f"jdbc:postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}",
                user=ROLE,
                password=read_password(FOLDER / "postgres", ROLE),
                table=TABLE,
                key="id_number",
            )
            folder = self.folder / f"sink-{self.databases}"
            folder.mkdir()
            with jdbc_sink.running(libs, folder, sink) as process:
                return self._rate(url, COUNT_SINK, lambda: process.poll() is None)

    def _rate(self, url: str, counted: LiteralString, is_running: Callable[[], bool]) -> float:
        """Records a second between the first look that finds some and the look that finds all."""
        began: tuple[float, int] | None = None
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        with psycopg.connect(url, autocommit=True) as conn:
            while True:
                row = conn.execute(counted).fetchone()
                now, found = time.monotonic(), int(row[0]) if row else 0
                if found and began is None:
                    began = (now, found)
                if began is not None and found >= self.records:
                    return (found - began[1]) / (now - began[0])
                if not is_running() or now > deadline:
                    sys.exit(f"only {found:,} of {self.records:,} records came; see the logs in {self.folder}")
                time.sleep(LOOK_SECONDS)

    def _environment(self, url: str, prefix: str) -> Mapping[str, str]:
        return os.environ | {
            "HUB_DATABASE_URL": url,
            "HUB_DATA_FOLDER": str(self.folder / f"hub-{self.databases}"),
            "HUB_LOG": "kafka",
            "HUB_KAFKA_SERVERS": self.options.servers,
            "HUB_KAFKA_PREFIX": prefix,
            "HUB_LANGUAGE": "en",
        }

    def _register(self, environment: Mapping[str, str]) -> None:
        shipped = Path(__file__).parents[2] / "schemas" / "population" / "resident" / "v1.avsc"
        names = ("--name-zh", "公安厅", "--name-en", "Public Security", "--level", "province", "--region", "420000")
        for command in (
            ("organization", "add", ORGANIZATION, *names),
            ("contract", "register", str(shipped)),
            ("dataset", "add", DATASET, "--contract", "resident", "--organization", ORGANIZATION),
        ):
            subprocess.run([str(BIN / "hub"), *command], env=dict(environment), check=True, capture_output=True)

    @staticmethod
    def _register_schema(url: str) -> None:
        """The contract's own schema, the first of the registry."""
        with psycopg.connect(url) as conn:
            dataset = find_dataset(conn, DATASET)
            assert dataset is not None
            (own,) = versions(conn, dataset, "value")
            assert own.id == SCHEMA_ID

    @contextmanager
    def database(self) -> Generator[str]:
        """A database of its own in the stack's PostgreSQL, checkpointed before it is used and dropped afterwards."""
        self.databases += 1
        name = f"bench_{os.getpid()}_{self.databases}"
        self.cluster.create_database(name)
        migrate(self.cluster.url(name))
        with psycopg.connect(self.cluster.superuser_url(), autocommit=True) as admin:
            admin.execute("CHECKPOINT")
            try:
                yield self.cluster.url(name)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def remove_topics(self) -> None:
        """What was filled."""
        for options in (self.options, self.framed):
            with closing(KafkaCluster(options)) as cluster:
                for topic in cluster.topics():
                    cluster.remove(topic.name)


def main() -> None:
    """Fill, drain in turn, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    standing = Stack(FOLDER, say).start(1)
    libs = jdbc_sink.ready_libs(FOLDER / "parts")
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    bench = Bench(standing, folder, given.records)
    rates: dict[str, list[float]] = {"two": [], "sink": [], "one": [], "framed": []}
    try:
        say(f"filling three topics with {given.records:,} residents")
        bench.fill()
        for number in range(1, given.rounds + 1):
            say(f"round {number} of {given.rounds}")
            rates["two"].append(bench.drain(2))
            rates["sink"].append(bench.drain_by_sink(libs))
            rates["one"].append(bench.drain(1))
            rates["framed"].append(bench.drain(2, framed=True))
            say(", ".join(f"{name} {values[-1]:,.0f}" for name, values in rates.items()))
        shutil.rmtree(folder)
    finally:
        bench.remove_topics()
    two, sink, one, framed = (statistics.median(values) for values in rates.values())
    print(
        json.dumps(
            {
                "records": given.records,
                "rounds": given.rounds,
                "records_per_s": round(two),
                "x_jdbc_sink": round(two / sink, 2),
                "two_workers_x": round(two / one, 2),
                "sink_per_s": round(sink),
                "one_worker_per_s": round(one),
                "framed_per_s": round(framed),
                "all": {name: [round(value) for value in values] for name, values in rates.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
