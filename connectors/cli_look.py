"""connector check, dry-run and status: what is there and what would be sent. Nothing is sent."""

import stat
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.terminal import AsJson, chosen, language, say, show_json

if TYPE_CHECKING:
    from connectors.config import Connector
    from connectors.sampling import Sample
    from schemas.contract import Contract

ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="The connector's YAML file.", show_default=False)]
CHECK_ROWS = 1_000
RETRY_SECONDS = 5.0


def check_command(file: ConfigFile, as_json: AsJson = False) -> None:
    """Check configuration, token, signing key, hub, contract and each item's head, and say what would be ignored."""
    from connectors.config import read_connector
    from connectors.signing import signing_of

    connector = read_connector(file)
    connector.token()
    signing_of(connector)
    told: list[tuple[str, str]] = [("配置文件与令牌可用", "configuration and token can be used")]
    if connector.config.token.file is not None:
        mode = (connector.folder / connector.config.token.file).stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            told.append(("注意:令牌文件可被他人读取,请 chmod 600", "note: others may read the token's file; chmod 600"))
    with _contract(connector, None) as contract:
        told.append(
            (
                f"枢纽可达;契约 {contract.name} 第 {contract.version} 版",
                f"the hub answers; contract {contract.name} v{contract.version}",
            )
        )
        found = _samples(connector, contract, CHECK_ROWS)
    if as_json:
        show_json({"told": [{"zh": zh, "en": en} for zh, en in told], "items": [one.to_json() for one in found]})
    else:
        for zh, en in told:
            say(f"✓ {zh}", f"✓ {en}")
        for one in found:
            _show_fit(one)
        if not found:
            say("目前没有可读的内容。", "the source has nothing to read now.")
    if any(one.error is not None for one in found):
        raise typer.Exit(1)


def dry_run_command(
    file: ConfigFile,
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of each item; all without it.")] = None,
    contract: Annotated[
        Path | None,
        typer.Option(help="A contract file (.avsc): then the hub is not asked.", exists=True, dir_okay=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be sent and what would be rejected, and why. Sends nothing, changes nothing, needs no state."""
    from connectors.config import read_connector

    connector = read_connector(file)
    with _contract(connector, contract) as known:
        found = _samples(connector, known, rows)
    if as_json:
        show_json([one.to_json() for one in found])
    else:
        for one in found:
            _show_fit(one)
            _show_reasons(one)
        if not found:
            say("目前没有可读的内容。", "the source has nothing to read now.")
    if any(one.error is not None for one in found):
        raise typer.Exit(1)


def status_command(
    file: ConfigFile,
    runs: Annotated[int, typer.Option(min=1, max=200, help="How many of the last runs.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what lies in the outbox and how the last runs ended. Asks nobody; a running connector is not disturbed."""
    from connectors.config import read_connector
    from connectors.state import opened_state

    connector = read_connector(file)
    if not (connector.state_folder / "state.sqlite").exists():
        answer: dict[str, Any] = {"state": str(connector.state_folder), "waiting": 0, "runs": []}
    else:
        with opened_state(connector.state_folder, exclusive=False) as state:
            answer = {
                "state": str(connector.state_folder),
                "waiting": len(state.waiting()),
                "runs": [
                    {
                        "run": run.id,
                        "item": run.item,
                        "operation": run.operation,
                        "cut_at": run.cut_at.isoformat(),
                        "status": run.status,
                        "records": run.records,
                        "seconds": round(run.seconds, 1),
                        "summary": run.summary,
                    }
                    for run in state.last_runs(runs)
                ],
            }
    if as_json:
        show_json(answer)
        return
    say(
        f"状态目录 {answer['state']};发件箱中未确认的批次:{answer['waiting']}",
        f"state folder {answer['state']}; batches not acknowledged in the outbox: {answer['waiting']}",
    )
    for run in answer["runs"]:
        typer.echo(f"  {run['cut_at'][:19]}Z  {run['status']:9}  {run['records']:>10,}  {run['item']}")


@contextmanager
def _contract(connector: "Connector", file: Path | None) -> "Generator[Contract]":
    """The contract: of a file, else of the hub, which is asked for a few seconds and not for ever."""
    from schemas.contract import parse_contract

    if file is not None:
        yield parse_contract(file.read_text(encoding="utf-8"))
        return
    from connectors.client import Door, Patience, http_client
    from connectors.contracts import contract_of

    config = connector.config
    patience = Patience(config.hub, RETRY_SECONDS, threading.Event(), lambda _problem, _pause: None)
    with http_client(config.hub, connector.token(), language()) as http, TemporaryDirectory() as folder:
        door = Door(http)
        standing = patience.ask(lambda: door.standing(config.dataset))
        yield patience.ask(lambda: contract_of(door, Path(folder), standing.contract, standing.contract_version))


def _samples(connector: "Connector", contract: "Contract", rows: int | None) -> "list[Sample]":
    from connectors.progress import PlainLines
    from connectors.sampling import samples
    from connectors.sources.catalog import open_source

    source = open_source(connector.config.source, connector.folder, connector.file.name)
    try:
        return list(samples(connector.config, contract, source, rows, datetime.now(UTC), PlainLines()))
    finally:
        source.close()


def _show_fit(sample: "Sample") -> None:
    if sample.error is not None:
        typer.echo(f"✗ {sample.item}: {sample.error.sentence(language())}")
        return
    say(f"✓ {sample.item}:{len(sample.columns)} 列", f"✓ {sample.item}: {len(sample.columns)} columns")
    if sample.ignored:
        say(f"    不报送的列:{', '.join(sample.ignored)}", f"    columns not sent: {', '.join(sample.ignored)}")
    if sample.absent:
        say(f"    无来源的字段:{', '.join(sample.absent)}", f"    fields without a column: {', '.join(sample.absent)}")


def _show_reasons(sample: "Sample") -> None:
    say(
        f"    {sample.rows:,} 行,{sample.batches} 批,{sample.bytes:,} 字节;不合格 {sample.bad:,} 行",
        f"    {sample.rows:,} rows in {sample.batches} batches, {sample.bytes:,} bytes; {sample.bad:,} rows are bad",
    )
    for (field, code, _), rows in sample.by_rows():
        typer.echo(f"    {rows:>9,}  {field or '-'}: {code}")
    for row, reason in sample.examples or []:
        line = chosen(f"第 {row} 行", f"row {row}")
        typer.echo(f"      {line} {reason.field or '-'}: {reason.sentence(language())}")
