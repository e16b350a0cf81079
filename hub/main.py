"""The composition root: reads nothing by itself, but from settings builds store, log and worker.

Nobody else knows which adapter stands behind a port. The API is put together in ``hub.api.serve``, from the parts that
are built here, so that commands need not wait for a web framework to load.
"""

import os
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.exchange.apply.batch import SESSION_SETTINGS, Apply
from hub.exchange.decoder import Decoder
from hub.exchange.embedded_log import EmbeddedLog
from hub.exchange.intake import Intake
from hub.exchange.log import Log
from hub.exchange.position import StoredPositions
from hub.exchange.retention import sweeping
from hub.exchange.worker import GROUP, Worker, keep_working
from hub.observations import WorkerStarted, WorkerStopped, log_to_stderr, observe
from hub.settings import Settings
from hub.store.cluster import Cluster
from hub.store.connect import connect
from hub.store.errors import StoreUnreachable
from hub.store.migrate import migrate
from schemas.batch import Limits

Tell = Callable[[str], None]
CLUSTER_FOLDER = "postgres"
INFLATED_TO_BYTES = 16  # what a batch may decompress to


def utc_now() -> datetime:
    """The clock everything that serves is given."""
    return datetime.now(UTC)


# Store ---------------------------------------------------------------------------------------------------------------


def cluster_of(settings: Settings, tell: Tell) -> Cluster:
    """The private cluster of a data folder, as yet untouched."""
    return Cluster(settings.data_folder / CLUSTER_FOLDER, memory_mb=settings.postgres_memory_mb, tell=tell)


@contextmanager
def opened_store(settings: Settings, tell: Tell, *, migrated: bool = True) -> Generator[str]:
    """The store's connection string, while it is used: the private cluster runs as long as anyone is inside."""
    with kept_store(settings, tell) as store:
        if migrated:
            migrate(store.url)
        yield store.url


@dataclass(slots=True)
class KeptStore:
    """A store in use, and what brings it back when it was killed."""

    url: str
    cluster: Cluster | None

    def look_after(self) -> None:
        """Start the private cluster again if it does not answer; another server is its administrator's."""
        if self.cluster is None:
            return
        try:
            connect(self.url, "hub start").close()
        except StoreUnreachable:
            self.cluster.leave()
            self.url = self.cluster.enter()


@contextmanager
def kept_store(settings: Settings, tell: Tell) -> Generator[KeptStore]:
    """The store, whatever it is, while it is used."""
    if settings.database_url is not None:
        yield KeptStore(settings.database_url, None)
        return
    with cluster_of(settings, tell) as cluster:
        yield KeptStore(cluster.url(), cluster)


# Log -----------------------------------------------------------------------------------------------------------------


@contextmanager
def opened_log(settings: Settings, url: str) -> Generator[Log]:
    """The log, while it is used."""
    match settings.log:
        case "embedded":
            log = EmbeddedLog(url, backlog_bytes_max=int(settings.log_backlog_bytes_max))
    with closing(log):
        yield log


def ready_topic(settings: Settings, topic: str, tell: Tell) -> None:
    """Make a dataset's topic in the log; nothing happens where it is there."""
    with opened_store(settings, tell) as url, opened_log(settings, url) as log:
        log.ensure_topic(topic, settings.log_partitions)


# Worker --------------------------------------------------------------------------------------------------------------


def run_worker(settings: Settings, tell: Tell, stopping: Callable[[], bool]) -> None:
    """Verify, decode, check and apply until told to stop, through any loss of the store."""
    log_to_stderr()
    with kept_store(settings, tell) as store:
        migrate(store.url)

        @contextmanager
        def opened() -> Generator[Worker]:
            store.look_after()
            with opened_worker(settings, store.url) as worker:
                yield worker

        keep_working(opened, stopping)


@contextmanager
def opened_worker(settings: Settings, url: str) -> Generator[Worker]:
    """One worker with all it is made of, while it runs. Made and used by one thread.

    Its sessions are in autocommit: where one that is not has only read, a transaction is open, and every block meant
    to be a transaction would be a savepoint in it that never commits.
    """
    member = f"{socket.gethostname()}-{os.getpid()}"
    with ExitStack() as parts:
        writer = parts.enter_context(closing(connect(url, "hub worker", autocommit=True, settings=SESSION_SETTINGS)))
        reader = parts.enter_context(closing(connect(url, "hub worker reads", autocommit=True)))
        log = parts.enter_context(opened_log(settings, url))
        consumer = parts.enter_context(closing(log.consumer(GROUP, member, StoredPositions(reader))))
        decoder = parts.enter_context(closing(decoder_of(settings)))
        parts.enter_context(sweeping(log, timedelta(hours=settings.log_retention_hours), utc_now))
        apply = Apply(writer, close_share_max=settings.keys_close_share_max)
        observe(WorkerStarted(member))
        yield Worker(writer, log.name, consumer, Intake(reader, settings.hub_id), decoder, apply)
        observe(WorkerStopped(member))


def decoder_of(settings: Settings) -> Decoder:
    """A decoding child within the settings' limits."""
    bytes_max = int(settings.batch_bytes_max)
    limits = Limits(
        bytes_max=bytes_max,
        records_max=settings.batch_records_max,
        inflated_bytes_max=INFLATED_TO_BYTES * bytes_max,
    )
    return Decoder(
        limits,
        memory_bytes_max=int(settings.decoder_memory_bytes_max),
        seconds_max=settings.decoder_seconds_max,
    )
