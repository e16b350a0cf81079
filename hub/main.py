"""The composition root: reads nothing by itself, but from settings builds store, log, door, API and worker.

Nobody else knows which adapter stands behind a port.
"""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn

from hub.api.app import THREADS, create_app
from hub.api.dependencies import Parts
from hub.api.protocol import BoundedProtocol
from hub.api.waiting import ReceiptListener, Waiting
from hub.errors import SettingWrong, StoreUnreachable
from hub.exchange.door import Door
from hub.identity.organization_tokens import OrganizationTokens
from hub.observations import log_to_stderr
from hub.settings import Settings
from hub.store.cluster import Cluster
from hub.store.connect import connect, pool
from hub.store.migrate import migrate
from hub.supervise import stop_signals

Tell = Callable[[str], None]
CLUSTER_FOLDER = "postgres"
KEEP_ALIVE_SECONDS = 30
GRACE_SECONDS = 10


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


def ready_topic(settings: Settings, topic: str, tell: Tell) -> None:
    """Make a dataset's topic in the log; nothing happens where it is there."""
    with opened_store(settings, tell) as url, opened_log(settings, url) as log:
        log.ensure_topic(topic, settings.log_partitions)


# API -----------------------------------------------------------------------------------------------------------------


@contextmanager
def opened_parts(settings: Settings, url: str) -> Generator[Parts]:
    """What the API is made of, while it runs."""
    with pool(url, "hub api", size=THREADS) as connections, opened_log(settings, url) as log:
        waiting = Waiting(settings.waiting_max)
        yield Parts(
            settings=settings,
            pool=connections,
            identity=OrganizationTokens(connections),
            door=Door(connections, log, settings.hub_id, settings.batch_records_max),
            waiting=waiting,
            listener=ReceiptListener(url, waiting),
            clock=utc_now,
        )


def serve(settings: Settings, tell: Tell) -> None:
    """Run the HTTP door until SIGINT or SIGTERM; requests under way are answered first."""
    log_to_stderr()
    # uvicorn raises the signals again when it has ended; here they must not end the process before the store is left.
    with (
        stop_signals() as stopping,
        bound_socket(settings) as listening,
        opened_store(settings, tell) as url,
        opened_parts(settings, url) as parts,
    ):
        host, port = listening.getsockname()[:2]
        tell(f"listening on http://{host}:{port}/v1")
        if not stopping.is_set():
            server_of(parts).run(sockets=[listening])


def server_of(parts: Parts) -> uvicorn.Server:
    """Uvicorn over the application, quiet: the hub logs what happens itself."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(parts),
            loop="uvloop",
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


@contextmanager
def bound_socket(settings: Settings) -> Generator[socket.socket]:
    """The door's address, taken before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingWrong(setting="HUB_PORT", problem=f"{where}: {error.strerror or error}") from error
    with listening:
        yield listening
