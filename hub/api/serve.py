"""The HTTP door as a process: the application over its parts, on a socket, until it is told to stop."""

from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from hub.api.app import THREADS, create_app
from hub.api.dependencies import Parts
from hub.api.identity import identity_of
from hub.api.protocol import BoundedProtocol
from hub.api.release import opened_release
from hub.api.short_cut import ShortCut
from hub.api.waiting import ReceiptListener, Waiting
from hub.exchange.door import Door
from hub.listening import bound_socket, listening_at
from hub.main import Tell, crypto_of, keys_of, opened_log, opened_store, utc_now
from hub.observations import log_to_stderr
from hub.settings import Settings
from hub.store.connect import pool
from hub.supervise import stop_signals

KEEP_ALIVE_SECONDS = 30
GRACE_SECONDS = 10


@contextmanager
def opened_parts(settings: Settings, url: str) -> Generator[Parts]:
    """What the API is made of, while it runs."""
    provider, keys = crypto_of(settings), keys_of(settings)
    with (
        pool(url, "hub api", size=THREADS) as connections,
        opened_log(settings, url) as log,
        opened_release(settings, url, keys, provider, THREADS) as release,
    ):
        waiting = Waiting(settings.waiting_max)
        identity = identity_of(settings, connections, keys, provider)
        yield Parts(
            settings=settings,
            pool=connections,
            identity=identity.callers,
            tokens=identity.tokens,
            issuer=identity.issuer,
            door=Door(connections, log, settings.hub_id, settings.batch_records_max),
            waiting=waiting,
            listener=ReceiptListener(url, waiting),
            release_parts=release,
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
        opened_parts(listening_at(settings, listening), url) as parts,
    ):
        host, port = listening.getsockname()[:2]
        tell(f"listening on http://{host}:{port}/v1")
        if not stopping.is_set():
            server_of(parts).run(sockets=[listening])


def app_of(parts: Parts) -> ASGIApp:
    """The application, with the short cut before it."""
    return ShortCut(create_app(parts), parts)


def server_of(parts: Parts) -> uvicorn.Server:
    """Uvicorn over the application, quiet: the hub logs what happens itself."""
    return uvicorn.Server(
        uvicorn.Config(
            app_of(parts),
            loop="uvloop",
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # nobody's word counts for where a request comes from
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
