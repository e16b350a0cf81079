"""hub contract, hub dataset."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catalog import store as catalog_store
from hub.exchange import registry_store
from hub.exchange.registry_store import Mode, Registered
from hub.main import opened_store, ready_topic
from hub.release.index import add_index
from hub.store.connect import connect
from hub.terminal import AsJson, say, settings_of, show_json, show_rows, tell, transaction
from schemas.contract import load_shipped

contract = typer.Typer(help="Contracts: what a record is, in versions.", no_args_is_help=True)
dataset = typer.Typer(help="Datasets: whose records follow which contract.", no_args_is_help=True)


@contract.command("register")
def register_contract(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Contract file; - reads standard input.")] = None,
    compatibility: Annotated[
        Mode | None, typer.Option(help="What every later version is held to; as the version before by default.")
    ] = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="Register the contracts that come with the hub.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register a version of a contract; an incompatible one is refused, naming every field and rule."""
    if (file is None) != shipped:
        raise typer.BadParameter("name one file, or --shipped")
    texts = [one.source for one in load_shipped()] if file is None else [_text_of(file)]
    with transaction() as conn:
        done = [registry_store.register_contract(conn, text, compatibility) for text in texts]
    if as_json:
        show_json([_registered(one) for one in done])
        return
    for one in done:
        name, version = one.contract.name, one.contract.version
        if one.is_new:
            say(f"数据契约 {name} 版本 {version} 已登记。", f"contract {name} version {version} is registered.")
        else:
            say(
                f"数据契约 {name} 版本 {version} 早已登记。",
                f"contract {name} version {version} was registered before.",
            )
        if one.datasets:
            names = ", ".join(one.datasets)
            say(f"数据资源 {names} 已增加相应的列。", f"datasets {names} have its columns now.")


@contract.command("list")
def list_contracts(as_json: AsJson = False) -> None:
    """List the contracts in all versions."""
    with transaction() as conn:
        found = registry_store.list_contracts(conn)
    rows = [{name: value for name, value in asdict(one).items() if name != "source"} for one in found]
    show_rows(rows, as_json=as_json)


@contract.command("show")
def show_contract(
    name: Annotated[str, typer.Argument(help="Name of the contract.")],
    version: Annotated[int | None, typer.Argument(min=1, help="The latest by default.")] = None,
) -> None:
    """Print one version as it was registered."""
    with transaction() as conn:
        found = registry_store.find_contract(conn, name, version)
    typer.echo(found.source)


@dataset.command("add")
def add_dataset(
    id_: Annotated[str, typer.Argument(metavar="ID", help="<region code>.<name>, as in 420000.resident.")],
    *,
    contract_name: Annotated[str, typer.Option("--contract", help="Name of the contract its records follow.")],
    organization: Annotated[str, typer.Option(help="Id of the organization that owns it.")],
    title_zh: Annotated[str | None, typer.Option(help="Chinese title; the contract's by default.")] = None,
    title_en: Annotated[str | None, typer.Option(help="English title; the contract's by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Register a dataset: its tables in the store and its topic in the log. Repeating it does nothing."""
    settings = settings_of()
    with transaction(settings) as conn:
        made, is_new = registry_store.register_dataset(
            conn, id_, contract_name, organization, title_zh=title_zh, title_en=title_en
        )
    ready_topic(settings, made.topic, tell)
    if as_json:
        show_json({**asdict(made), "new": is_new})
    elif is_new:
        say(f"数据资源 {made.id} 已登记。", f"dataset {made.id} is registered.")
    else:
        say(f"数据资源 {made.id} 早已登记。", f"dataset {made.id} was registered before.")


@dataset.command("index")
def index_dataset(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Dataset id.")],
    field: Annotated[str, typer.Argument(help="A field that is often filtered by.")],
) -> None:
    """Index a field of a dataset. Queries by it become fast; each record that comes in costs a little more."""
    settings = settings_of()
    with opened_store(settings, tell) as url, connect(url, "hub dataset index", autocommit=True) as conn:
        made = add_index(conn, id_, field)
    if made:
        say(f"数据项 {field} 已建索引。", f"field {field} has its index now.")
    else:
        say(f"数据项 {field} 早已有索引。", f"field {field} had its index before.")


@dataset.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the datasets."""
    with transaction() as conn:
        found = catalog_store.list_datasets(conn)
    show_rows([asdict(one) for one in found], as_json=as_json)


def _text_of(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: not UTF-8 at byte {error.start}") from error


def _registered(one: Registered) -> dict[str, object]:
    return {
        "name": one.contract.name,
        "version": one.contract.version,
        "compatibility": one.compatibility,
        "new": one.is_new,
        "datasets": list(one.datasets),
    }
