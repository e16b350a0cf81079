"""The peer of the real benchmark: Kafka Connect with Debezium's JDBC sink, at its best settings, as one process."""

import json
import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_hub import free_port

from deploy.stack.parts import fetch_libraries

POM = Path(__file__).parents[1] / "bench" / "sink_pom.xml"
OTHERS = ("slf4j-api-2*", "mssql*", "ojdbc*", "jcc*", "mysql*", "mariadb*")  # drivers of other databases
LOG4J = Path(__file__).parents[2] / "deploy" / "stack" / "log4j2.xml"


@dataclass(frozen=True, slots=True)
class Sink:
    """Where it reads and writes."""

    servers: str
    topic: str
    jdbc_url: str
    user: str
    password: str
    table: str
    key: str


def ready_libs(folder: Path) -> Path:
    """Its libraries, fetched once."""
    libs = folder / "jdbc-sink"
    if not libs.exists():
        fetch_libraries("the JDBC sink", POM, libs, without=OTHERS)
    return libs


def message(fields: Sequence[str], values: Sequence[str | None]) -> bytes:
    """A record as its converter wants it: JSON with its schema."""
    schema = {
        "type": "struct",
        "name": "resident",
        "optional": False,
        "fields": [{"field": name, "type": "string", "optional": True} for name in fields],
    }
    return json.dumps(
        {"schema": schema, "payload": dict(zip(fields, values, strict=True))}, ensure_ascii=False
    ).encode()


@contextmanager
def running(libs: Path, folder: Path, sink: Sink) -> Generator["subprocess.Popen[bytes]"]:
    """One standalone worker of Kafka Connect with two tasks, until the block ends."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True)
    worker = {
        "bootstrap.servers": sink.servers,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "offset.storage.file.filename": folder / "offsets",
        "plugin.path": plugins,
        "plugin.discovery": "only_scan",
        "listeners": f"http://127.0.0.1:{free_port()}",
        "consumer.max.poll.records": 5000,
    }
    connector = {
        "name": f"sink-{folder.name}",
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": 2,
        "topics": sink.topic,
        "connection.url": f"{sink.jdbc_url}?reWriteBatchedInserts=true",
        "connection.username": sink.user,
        "connection.password": sink.password,
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": sink.key,
        "batch.size": 5000,
        "use.reduction.buffer": "true",
        "schema.evolution": "none",
        "collection.name.format": sink.table,
    }
    files = [_written(folder / "worker.properties", worker), _written(folder / "sink.properties", connector)]
    command = ["java", "-Xms256m", "-Xmx1g", f"-Dlog4j.configurationFile={LOG4J}", "-cp", f"{libs}/*"]
    command += ["org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files)]
    with (folder / "connect.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _written(file: Path, values: Mapping[str, object]) -> Path:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)  # it holds a password
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.writelines(f"{name}={value}\n" for name, value in values.items())
    return file
