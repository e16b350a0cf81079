"""The dispatcher put together from the settings, and run."""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network

from psycopg_pool import ConnectionPool

from hub.keys import Keys
from hub.ledger.writer import ThreadedLeafWriter
from hub.main import Tell, crypto_of, kept_store, keys_of, opened_log, utc_now
from hub.observations import log_to_stderr
from hub.release.feed import feed_of
from hub.release.gate import Gate
from hub.release.plan import Planner
from hub.release.quota import Quotas
from hub.release.refusals import Refusals
from hub.release.settle import Settlement
from hub.release.teller import Teller
from hub.release.trail_store import insertion
from hub.release.whole import Opener
from hub.settings import Settings
from hub.store.connect import connect, pool
from hub.store.migrate import migrate
from hub.subscription.destination import Allowed
from hub.subscription.dispatcher import Dispatcher
from hub.subscription.push import Pusher, tls_context
from hub.subscription.running import run_threads, sweep_exports
from hub.subscription.signature import KEY_NAME
from schemas.national.provider import CryptoProvider

SESSION_SETTINGS = {"statement_timeout": "30s", "jit": "off"}


def allowed_of(settings: Settings) -> Allowed:
    """Where may be pushed to."""
    networks = settings.push_networks_allowed
    return Allowed(
        ports=frozenset(int(port) for port in settings.push_ports_allowed.split(",")),
        networks=tuple(ip_network(text) for text in networks.split(",")) if networks else (),
    )


def run_dispatcher(settings: Settings, tell: Tell, stopping: Callable[[], bool]) -> None:
    """Deliver until told to stop."""
    log_to_stderr()
    provider, keys = crypto_of(settings), keys_of(settings)
    with kept_store(settings, tell) as store:
        migrate(store.url)
        threads = settings.dispatch_threads
        with (
            pool(store.url, "hub dispatch", size=2 * threads + 1, autocommit=True, settings=SESSION_SETTINGS) as conns,
            opened_dispatcher(settings, store.url, keys, provider, conns) as dispatcher,
        ):
            sweep = partial(sweep_exports, conns, utc_now, settings.export_kept_days)
            run_threads(dispatcher, threads, sweep, stopping)


@contextmanager
def opened_dispatcher(
    settings: Settings, url: str, keys: Keys, provider: CryptoProvider, connections: ConnectionPool
) -> Generator[Dispatcher]:
    """A dispatcher with all it is made of, while it runs. Its leaves are written by a thread of its own."""
    with (
        opened_log(settings, url) as log,
        ThreadedLeafWriter(url, utc_now, insertion=insertion) as writer,
    ):
        quotas, refusals = Quotas(), Refusals()
        planner = Planner(keys, provider)
        settlement = Settlement(writer, quotas, refusals, planner.cursors, stale_minutes=settings.ledger_stale_minutes)
        teller = Teller(lambda: connect(url, "hub teller", autocommit=True), writer, quotas, refusals, utc_now)
        teller.start()
        try:
            yield Dispatcher(
                pool=connections,
                feed=feed_of(Opener(Gate(), planner, settlement, writer, quotas), keys, provider),
                pusher=Pusher(allowed_of(settings), tls_context(settings.push_ca_file), settings.push_seconds_max),
                log=log,
                signer=keys.signer(KEY_NAME),
                clock=utc_now,
                failures_max=settings.push_failures_max,
                dice=random.Random(),  # noqa: S311 - jitter
            )
        finally:
            teller.stop()
