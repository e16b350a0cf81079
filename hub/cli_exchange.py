"""hub receipt, hub quarantine, hub erase."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from psycopg import Connection

from catalog import store as catalog_store
from catalog.dataset import Dataset
from catalog.errors import DatasetUnknown
from hub.acts.erasures import erase_record
from hub.api.errors import ReceiptAbsent
from hub.errors import QuarantineEntryUnknown
from hub.exchange import quarantine as quarantine_rows
from hub.exchange.erasure_keys import erasure_keys_of
from hub.exchange.receipt import read_receipt
from hub.exchange.registry_store import contract_of
from hub.identity.people import caller_of_login
from hub.main import crypto_of, keys_of
from hub.terminal import ActingAs, AsJson, say, settings_of, show_json, show_rows, transaction

receipt = typer.Typer(help="Receipts: what became of a batch.", no_args_is_help=True)
quarantine = typer.Typer(help="Rejected records that wait to be corrected.", no_args_is_help=True)

DatasetArgument = Annotated[str, typer.Argument(help="Dataset id, as in 420000.resident.")]


@receipt.command("show")
def show_receipt(
    organization: Annotated[str, typer.Argument(help="Whose batch it is.")],
    batch: Annotated[UUID, typer.Argument(help="Batch id.")],
    as_json: AsJson = False,
) -> None:
    """Show the receipt of a batch."""
    with transaction() as conn:
        found = read_receipt(conn, organization, batch)
    if found is None:
        raise ReceiptAbsent(batch=str(batch))
    if as_json:
        show_json(found.to_json())
    else:
        show_rows([{"member": name, "value": value} for name, value in found.to_json().items()], as_json=False)


@quarantine.command("list")
def list_quarantine(
    dataset: DatasetArgument,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries at most.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Entries after this id.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List waiting entries with their reasons. Their records are for their sender alone, by HTTP."""
    with transaction() as conn:
        found = _dataset(conn, dataset)
        entries = quarantine_rows.list_open(conn, found.organization, dataset, limit, after)
    rows = [
        {
            "id": one.id,
            "batch": one.batch,
            "position": one.position,
            "state": one.state,
            "reasons": list(one.reasons) if as_json else "\n".join(str(reason["en"]) for reason in one.reasons),
            "digest": one.digest,
            "created_at": one.created_at,
        }
        for one in entries
    ]
    show_rows(rows, as_json=as_json)


@quarantine.command("close")
def close_quarantine(
    entry: Annotated[int, typer.Argument(min=1, help="Id of the entry.")],
    reason: Annotated[str, typer.Option(help="Why it may be closed; kept with it.")],
) -> None:
    """Close one waiting entry by hand."""
    with transaction() as conn:
        if not quarantine_rows.close_by_hand(conn, entry, reason):
            raise QuarantineEntryUnknown(entry=entry)
    say(f"隔离条目 {entry} 已关闭。", f"quarantine entry {entry} is closed.")


def erase(
    dataset: DatasetArgument,
    acting_as: ActingAs,
    key: Annotated[list[str], typer.Option(help="The record's key in text form; once a part, in order.")],
    reason: Annotated[str, typer.Option(help="Why: the law or the request it rests on.")],
    as_json: AsJson = False,
) -> None:
    """Erase a record with all it said before, from tables and quarantine. Commitment, version and digest stay.

    Older versions do not come back; a higher one is a new record. Subscribers are told to erase it for 30 days.
    """
    settings = settings_of()
    keys = erasure_keys_of(keys_of(settings), crypto_of(settings))
    with transaction(settings) as conn:
        now = datetime.now(UTC)
        contract = contract_of(conn, _dataset(conn, dataset))
        if len(key) != len(contract.key):
            raise typer.BadParameter(f"the key has {len(contract.key)} parts: {', '.join(contract.key)}")
        erased = erase_record(conn, caller_of_login(conn, acting_as, now), dataset, tuple(key), reason, keys, now)
    if as_json:
        show_json(asdict(erased))
        return
    say(
        f"已删除:历史 {erased.history_rows} 条,隔离 {erased.quarantine_entries} 条。留存承诺值 {erased.commitment}"
        "(由枢纽密钥对数据资源与主键计算)、版本与摘要;旧版本不会再次入库。日志中的原始批次随日志保留期到期删除。",
        f"erased, with {erased.history_rows} rows of history and {erased.quarantine_entries} of quarantine. What stays "
        f"is the commitment {erased.commitment} (of dataset and key, under the hub's key), version and digest; older "
        "versions do not come back. The batch's bytes leave the log with its retention.",
    )


def _dataset(conn: Connection, dataset: str) -> Dataset:
    found = catalog_store.find_dataset(conn, dataset)
    if found is None:
        raise DatasetUnknown(dataset=dataset)
    return found
