"""hub metrics."""

from contextlib import closing

from prometheus_client import start_http_server

from hub.main import kept_store, opened_log, utc_now, witnesses_of
from hub.metrics import SESSION_SETTINGS, HubCollector, registry_of
from hub.store.connect import connect
from hub.supervise import stop_signals
from hub.terminal import say, settings_of, tell


def metrics_command() -> None:
    """Serve the hub's metrics for Prometheus on HUB_METRICS_PORT until Ctrl-C. One is enough for a hub."""
    settings = settings_of()
    with stop_signals() as stopping, kept_store(settings, tell) as store, opened_log(settings, store.url) as log:
        collector = HubCollector(
            lambda: closing(connect(store.url, "hub metrics", autocommit=True, settings=SESSION_SETTINGS)),
            log,
            utc_now,
            witnesses=witnesses_of(settings),
            stale_minutes=settings.ledger_stale_minutes,
        )
        server, thread = start_http_server(settings.metrics_port, settings.host, registry_of(collector))
        address = f"http://{settings.host}:{settings.metrics_port}/metrics"
        say(f"指标:{address};Ctrl-C 停止。", f"metrics: {address}; Ctrl-C stops it.")
        stopping.wait()
        server.shutdown()
        server.server_close()
        thread.join()
