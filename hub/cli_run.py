"""hub serve, hub worker, hub start."""

import os
import sys
from typing import Annotated

import typer

from hub.listening import bound_socket
from hub.main import kept_store, witnesses_of
from hub.main_processes import run_worker
from hub.settings import Settings
from hub.store.migrate import migrate
from hub.supervise import Child, end_with_input, stop_signals, supervise
from hub.terminal import say, settings_of, tell

Supervised = Annotated[bool, typer.Option("--supervised", hidden=True, help="End when the input ends.")]


def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HUB_HOST by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port; HUB_PORT by default, 0 any free.")] = None,
    supervised: Supervised = False,
) -> None:
    """Run the HTTP door until Ctrl-C."""
    from hub.api.serve import serve

    if supervised:
        end_with_input()
    serve(settings_of(host=host, port=port), tell)


def worker_command(supervised: Supervised = False) -> None:
    """Run one worker until Ctrl-C: verify, decode, check, apply. Start as many as there are cores to spare."""
    if supervised:
        end_with_input()
    with stop_signals() as stopping:
        run_worker(settings_of(), tell, stopping.is_set)


def start_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HUB_HOST by default.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port; HUB_PORT by default.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=256, help="Workers; HUB_WORKERS by default.")] = None,
) -> None:
    """Run the whole hub until Ctrl-C: store, HTTP door, workers, sealer, witnesses. What dies is started again."""
    settings = settings_of(host=host, port=port, workers=workers)
    with bound_socket(settings):
        pass  # taken by another: say so now, rather than start a door that cannot open again and again
    with stop_signals() as stopping, kept_store(settings, tell) as store:
        migrate(store.url)
        say(
            f"枢纽 {settings.hub_id}:http://{settings.host}:{settings.port}/v1 — Ctrl-C 停止。",
            f"hub {settings.hub_id}: http://{settings.host}:{settings.port}/v1 — Ctrl-C stops it.",
        )
        supervise(_children(settings), stopping, store.look_after, tell)
    say("已全部停止。", "everything has stopped.")


def _children(settings: Settings) -> list[Child]:
    environment = {
        **os.environ,
        "HUB_DATA_FOLDER": str(settings.data_folder),
        "HUB_HOST": settings.host,
        "HUB_PORT": str(settings.port),
    }
    program = [sys.executable, "-m", "hub.cli"]
    workers = [
        Child(f"worker {number}", [*program, "worker", "--supervised"], environment)
        for number in range(1, settings.workers + 1)
    ]
    sealer = Child("sealer", [*program, "ledger", "seal", "--supervised"], environment)
    dispatchers = [
        Child(f"dispatcher {number}", [*program, "dispatch", "--supervised"], environment)
        for number in range(1, settings.dispatchers + 1)
    ]
    witnesses = [
        Child(name, [*program, "ledger", "witness", name, "--supervised"], environment)
        for name in witnesses_of(settings)
    ]
    return [Child("api", [*program, "serve", "--supervised"], environment), *workers, *dispatchers, sealer, *witnesses]
