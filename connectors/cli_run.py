"""connector run: everything the source has, once or again and again."""

import signal
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.errors import HubUnreachable, Interrupted
from connectors.sources.errors import SourceUnreachable
from connectors.terminal import AsJson, language, say, show_json, tell

if TYPE_CHECKING:
    # Imported where they are used: polars and httpx take a second, which ``--help`` need not wait for.
    from connectors.progress import Watcher
    from connectors.report import Report
    from connectors.session import Session

ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="The connector's YAML file.", show_default=False)]


def run_command(
    file: ConfigFile,
    once: Annotated[bool, typer.Option("--once", help="Send what is there and end (the default).")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Look again every schedule.every_seconds, until Ctrl-C.")
    ] = False,
    retry_seconds: Annotated[
        float, typer.Option(min=0, help="With --once: how long a request is repeated while the hub does not answer.")
    ] = 600,
    wait_seconds: Annotated[
        float, typer.Option(min=0, help="How long to wait for a receipt after the last one that came.")
    ] = 120,
    confirm_keys: Annotated[
        bool, typer.Option("--confirm-keys", help="A complete key list may close more than 5 % of the records.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send what the source has to the hub, each record once, however often it is interrupted and run again."""
    if once and follow:
        raise typer.BadParameter("--once or --follow, not both")
    from connectors.session import opened_session

    with ExitStack() as stack:
        stopping = stack.enter_context(_stop_signals())
        watcher = _watcher(stack, as_json=as_json)
        session = stack.enter_context(
            opened_session(
                file, watcher, stopping, None if follow else retry_seconds, wait_seconds, confirm_keys=confirm_keys
            )
        )
        failed = _follow(session, as_json=as_json) if follow else _once(session, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _once(session: "Session", *, as_json: bool) -> bool:
    """One look at the source; whether an item failed."""
    failed, reports = False, 0
    for report in session.run():
        reports += 1
        failed |= report.outcome != "done"
        _show(report, as_json=as_json)
    if reports == 0 and not as_json:
        say("没有需要报送的内容。", "there is nothing to send.")
    return failed


def _follow(session: "Session", *, as_json: bool) -> bool:
    """Look again and again. What fails is told and does not end it, unless the token is refused."""
    every = session.config.schedule.every_seconds
    while not session.stopping.is_set():
        try:
            for report in session.run():
                _show(report, as_json=as_json)
        except (SourceUnreachable, HubUnreachable) as error:
            tell(error.sentence("zh"), error.sentence("en"))
        session.stopping.wait(every)
    raise Interrupted(session.waiting())


def _show(report: "Report", *, as_json: bool) -> None:
    if as_json:
        show_json(report.to_json())
    else:
        for line in report.lines(language()):
            typer.echo(line)


def _watcher(stack: ExitStack, *, as_json: bool) -> "Watcher":
    import sys

    from connectors.progress import Bar, PlainLines

    if sys.stderr.isatty() and not as_json:
        return stack.enter_context(Bar())
    return PlainLines()


@contextmanager
def _stop_signals() -> Generator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the second Ctrl-C ends at once."""
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopping.set()
        tell("正在结束手上的批次……", "finishing the batch in hand …")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
