"""Metrics for Prometheus, read from the store and the log whenever they are scraped.

All that is counted stands in the store already, once for all processes: nothing is counted here, so nothing is lost
when a process ends, and it does not matter which one is asked.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg import Connection

from hub import metrics_store
from hub.errors import LogError
from hub.exchange.log import Log
from hub.exchange.worker import GROUP
from hub.ledger.standing import read_standing
from hub.store.errors import StoreError

NEWEST_ANSWERS: Final = 10_000
# Of the connection that reads: a scrape never holds up the hub.
SESSION_SETTINGS: Final = {"statement_timeout": "10s", "default_transaction_read_only": "on"}


class HubCollector(Collector):
    """The hub's metrics at the moment of a scrape. What cannot be read is left out, and ``hub_up`` says so."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Connection]],
        log: Log,
        clock: Callable[[], datetime],
        *,
        witnesses: Sequence[str],
        stale_minutes: int,
    ) -> None:
        self._opened = opened
        self._log = log
        self._clock = clock
        self._witnesses = witnesses
        self._stale_minutes = stale_minutes

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: asking would read the store while the process starts."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families."""
        up = GaugeMetricFamily("hub_up", "Whether a part of the hub could be read for this scrape.", labels=["part"])
        for part, read in (("store", self._of_store), ("log", self._of_log)):
            try:
                found = read()
            except (psycopg.Error, StoreError, LogError):
                found = []
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
            yield from found
        yield up

    def _of_store(self) -> list[Metric]:
        now = self._clock()
        with self._opened() as conn:
            return [*_exchange(conn), *_decisions(conn), *self._ledger(conn, now)]

    def _ledger(self, conn: Connection, now: datetime) -> list[Metric]:
        standing = read_standing(conn, now, self._witnesses, self._stale_minutes)
        sealed_at = standing.head.looked_at or standing.head.begun_at
        age = max(0.0, (now - sealed_at).total_seconds()) if standing.waiting else 0.0
        values = {
            "hub_ledger_height": ("Leaves sealed.", standing.head.size),
            "hub_ledger_unsealed": ("Leaves not sealed yet, counted to 100,000.", standing.waiting),
            "hub_ledger_unsealed_age_seconds": ("How long there has been no moment without an unsealed leaf.", age),
            "hub_ledger_stale": ("1 while nothing conditional is released for want of a signed head.", standing.stale),
            "hub_ledger_witnesses_missing": ("Witnesses that should cosign and do not.", len(standing.missing)),
            "hub_ledger_alarmed": ("1 where a witness raised an alarm within a day.", standing.alarmed),
        }
        return [GaugeMetricFamily(name, text, value=float(value)) for name, (text, value) in values.items()]

    def _of_log(self) -> list[Metric]:
        names = ["group", "topic", "partition"]
        messages = GaugeMetricFamily("hub_log_lag_messages", "Messages a group has still to read.", labels=names)
        size = GaugeMetricFamily("hub_log_lag_bytes", "Bytes a group has still to read.", labels=names)
        for one in self._log.lag(GROUP):
            place = [GROUP, one.topic, str(one.partition)]
            messages.add_metric(place, one.messages)
            size.add_metric(place, one.unread_bytes)
        return [messages, size]


def _exchange(conn: Connection) -> list[Metric]:
    names = ["dataset", "organization"]
    records = GaugeMetricFamily("hub_records", "Records that a dataset holds.", labels=names)
    batches = CounterMetricFamily("hub_batches", "Batches taken.", labels=names)
    received = CounterMetricFamily("hub_records_received", "Records received.", labels=names)
    rejected = CounterMetricFamily("hub_records_rejected", "Records rejected.", labels=names)
    last = GaugeMetricFamily("hub_last_batch_timestamp_seconds", "When a batch was taken last.", labels=names)
    for one in metrics_store.dataset_counts(conn):
        place = [one.dataset, one.organization]
        records.add_metric(place, one.records)
        batches.add_metric(place, one.batches)
        received.add_metric(place, one.received)
        rejected.add_metric(place, one.rejected)
        if one.last_taken_at is not None:
            last.add_metric(place, one.last_taken_at.timestamp())
    waiting = GaugeMetricFamily(
        "hub_quarantine_entries", "Entries of the quarantine that wait.", labels=["dataset", "reason", "state"]
    )
    for one in metrics_store.waiting_entries(conn):
        waiting.add_metric([one.dataset, one.reason, one.state], one.entries)
    return [records, batches, received, rejected, last, waiting]


def _decisions(conn: Connection) -> list[Metric]:
    names = ["decision", "quantile"]
    text = f"How long the decisions behind the newest {NEWEST_ANSWERS:,} answers took."
    seconds = GaugeMetricFamily("hub_decision_seconds", text, labels=names)
    counted = GaugeMetricFamily("hub_newest_answers", "Those answers, by what was decided.", labels=["decision"])
    for one in metrics_store.decision_times(conn, NEWEST_ANSWERS):
        decided = "allowed" if one.allowed else "denied"
        seconds.add_metric([decided, "0.5"], one.median_seconds)
        seconds.add_metric([decided, "0.99"], one.slow_seconds)
        counted.add_metric([decided], one.answers)
    return [seconds, counted]


def registry_of(collector: HubCollector) -> CollectorRegistry:
    """A registry with the hub's metrics alone."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
