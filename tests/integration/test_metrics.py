"""What hub metrics serves: read by a real scrape, against what the store holds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from bench_hub import free_port
from exchange_maker import TOPIC, Exchange, exchange_in, opened_log, row, send
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hub.exchange.log import Log
from hub.ledger.leaf import Leaf, record
from hub.metrics import HubCollector, registry_of
from hub.release.trail_store import Trail, insertion
from hub.store.connect import connect

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        yield made


def collector_of(url: str, log: Log) -> HubCollector:
    return HubCollector(
        lambda: closing(connect(url, "test", autocommit=True)),
        log,
        lambda: datetime.now(UTC),
        witnesses=("witness-1",),
        stale_minutes=15,
    )


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found[one.name, tuple(sorted(one.labels.items()))] = one.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    [one] = [
        number
        for (sample, given), number in found.items()
        if sample == name and all(dict(given).get(key) == wanted for key, wanted in labels.items())
    ]
    return one


def test_a_scrape_tells_what_the_store_and_the_log_hold(exchange: Exchange, tmp_path: Path):
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, [exchange.batch([row("a", 1, 1), row("b", -1, 1)]), exchange.batch([row("c", 1, 1)])])
        exchange.run(log)
        send(log, [exchange.batch([row("d", 1, 1)])])
    port = free_port()
    environment = os.environ | {
        "HUB_DATABASE_URL": exchange.url,
        "HUB_DATA_FOLDER": str(tmp_path),
        "HUB_METRICS_PORT": str(port),
        "HUB_LOG": "embedded",
    }
    command = [sys.executable, "-m", "hub.cli", "metrics"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            found = samples(_scraped(port, process))
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert value(found, "hub_up", part="store") == value(found, "hub_up", part="log") == 1
    assert value(found, "hub_records") == 2
    assert value(found, "hub_batches_total") == 2
    assert value(found, "hub_records_received_total") == 3
    assert value(found, "hub_records_rejected_total") == 1
    assert abs(value(found, "hub_last_batch_timestamp_seconds") - time.time()) < 120
    assert value(found, "hub_quarantine_entries", state="open", reason="range") == 1
    assert value(found, "hub_log_lag_messages", topic=TOPIC) == 1
    assert value(found, "hub_log_lag_bytes", topic=TOPIC) > 0
    assert value(found, "hub_ledger_height") == 0
    assert value(found, "hub_ledger_unsealed") >= 2  # no sealer runs here
    assert value(found, "hub_ledger_unsealed_age_seconds") > 0
    assert value(found, "hub_ledger_witnesses_missing") == 2


def test_how_long_decisions_take_is_told_of_the_newest_answers(exchange: Exchange):
    now = datetime.now(UTC)
    took = {True: [100, 200, 300, 9_000], False: [50]}
    with closing(connect(exchange.url, "test", autocommit=True)) as conn:
        for allowed, times in took.items():
            for micros in times:
                recorded = record(Leaf(action="release.page", actor="public"), "", now)
                trail = Trail("420000.simple", "public", None, allowed, b"x" * 32, now, decided_us=micros)
                statement, parameters = insertion([recorded], [trail])
                conn.execute(statement, parameters)
    with opened_log("embedded", exchange.url) as log:
        found = samples(generate_latest(registry_of(collector_of(exchange.url, log))).decode())
    assert value(found, "hub_newest_answers", decision="allowed") == 4
    assert value(found, "hub_decision_seconds", decision="allowed", quantile="0.5") == pytest.approx(0.00025)
    assert value(found, "hub_decision_seconds", decision="allowed", quantile="0.99") > 0.008
    assert value(found, "hub_decision_seconds", decision="denied", quantile="0.5") == pytest.approx(0.00005)


def test_what_cannot_be_read_is_said_and_the_rest_is_there(exchange: Exchange):
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        registry = registry_of(collector_of("postgresql://hub@127.0.0.1:1/hub", log))
        told = {family.name: family for family in registry.collect()}
    assert {one.labels["part"]: one.value for one in told["hub_up"].samples} == {"store": 0, "log": 1}
    assert "hub_log_lag_messages" in told
    assert "hub_records" not in told


def _scraped(port: int, process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=15, trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            continue
        assert answer.status_code == 200
        return answer.text
