"""hub ledger."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from hub.cli_run import Supervised
from hub.ledger import checkpoint_store, leaf_store, tree_store
from hub.ledger.bundle import hashes_to_json, make_bundle, openings_to_json, stored_leaf
from hub.ledger.errors import CheckpointUnknown
from hub.ledger.proof import consistency_path
from hub.ledger.standing import Standing, read_standing
from hub.ledger.verification import Verified, verify_ledger
from hub.ledger.witness_memory import read_memory
from hub.main import LEDGER_KEY, keys_of, witness_file, witnesses_of
from hub.main_processes import run_sealer, run_witness
from hub.supervise import end_with_input, stop_signals
from hub.terminal import AsJson, language, say, settings_of, show_json, show_rows, tell, transaction

ledger = typer.Typer(help="The ledger: what happened, provable by anyone.", no_args_is_help=True)

WitnessName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the witness, as in HUB_LEDGER_WITNESSES.")]


@ledger.command("seal")
def seal_ledger(supervised: Supervised = False) -> None:
    """Run the sealer until Ctrl-C: order, tree and signed checkpoints. One of several seals, the others stand by."""
    if supervised:
        end_with_input()
    with stop_signals() as stopping:
        run_sealer(settings_of(), tell, stopping.is_set)


@ledger.command("witness")
def witness_ledger(
    name: WitnessName,
    ledger_key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The ledger's public key (PEM); the first one seen by default."),
    ] = None,
    supervised: Supervised = False,
) -> None:
    """Run a witness until Ctrl-C: cosigns what goes on from what it saw, and raises an alarm over anything else."""
    if supervised:
        end_with_input()
    pem = "" if ledger_key is None else ledger_key.read_text(encoding="utf-8")
    with stop_signals() as stopping:
        run_witness(settings_of(), name, tell, stopping.is_set, pem)


@ledger.command("status")
def show_status(as_json: AsJson = False) -> None:
    """Tell how far the ledger is sealed, signed, witnessed. Exit code 1 when anything is missing, late or alarming."""
    settings = settings_of()
    with transaction(settings) as conn:
        standing = read_standing(conn, datetime.now(UTC), witnesses_of(settings), settings.ledger_stale_minutes)
    rows = _rows_of(standing)
    if as_json:
        show_json(rows | {"sound": standing.sound})
    else:
        show_rows([{"what": name, "is": value} for name, value in rows.items()], as_json=False)
    if not standing.sound:
        raise typer.Exit(1)


@ledger.command("verify")
def verify_whole(
    key: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Public key the ledger signed with earlier; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Grow the whole tree anew from the leaves, against every checkpoint and witness. Exit code 1 when they differ."""
    settings = settings_of()
    trusted = [keys_of(settings).signer(LEDGER_KEY).public_pem]
    trusted += [file.read_text(encoding="utf-8") for file in key or ()]
    memories = {name: read_memory(witness_file(settings, name)) for name in witnesses_of(settings)}
    with transaction(settings) as conn:
        done = verify_ledger(conn, trusted, memories)
    _tell_verified(done, as_json=as_json)
    if done.findings:
        raise typer.Exit(1)


@ledger.command("export")
def export_leaves(
    leaves: Annotated[list[str], typer.Argument(metavar="LEAF…", help="Ids of the leaves.")],
    to: Annotated[Path, typer.Option(help="File to write; - for standard output.")],
    since: Annotated[
        int | None, typer.Option(min=0, help="Size of an earlier checkpoint, to prove that the ledger goes on from it.")
    ] = None,
    openings: Annotated[
        bool, typer.Option("--openings", help="Also what opens the commitments: personal data, for whom it concerns.")
    ] = False,
) -> None:
    """Write what proves leaves to anyone, for verify_standalone.py."""
    with transaction() as conn:
        bundles = [_bundle_of(conn, leaf, since, with_openings=openings) for leaf in leaves]
    text = json.dumps(bundles[0] if len(bundles) == 1 else bundles, ensure_ascii=False, indent=1) + "\n"
    if str(to) == "-":
        typer.echo(text, nl=False)
        return
    to.write_text(text, encoding="utf-8")
    say(
        f"已写入 {len(bundles)} 个条目的证明:{to};用 verify_standalone.py 离线核验。",
        f"wrote what proves {'it' if len(bundles) == 1 else f'{len(bundles)} leaves'} to {to}; verify it offline with "
        "verify_standalone.py.",
    )


@ledger.command("list")
def list_leaves(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Leaves at most.")] = 50, as_json: AsJson = False
) -> None:
    """List the leaves written last, the newest first."""
    with transaction() as conn:
        records = [json.loads(one) for one in leaf_store.last_leaves(conn, limit)]
    shown = ("ts", "id", "action", "actor", "object", "decision", "rows")
    show_rows(records if as_json else [{name: one[name] for name in shown} for one in records], as_json=as_json)


@ledger.command("key")
def show_key() -> None:
    """Print the public key the ledger signs with, PEM."""
    typer.echo(keys_of(settings_of()).signer(LEDGER_KEY).public_pem, nl=False)


def _bundle_of(conn: Connection, leaf: str, since: int | None, *, with_openings: bool) -> dict[str, Any]:
    bundle = make_bundle(conn, leaf, stored_leaf(conn, leaf))
    if since is not None:
        if since > bundle["size"]:
            raise CheckpointUnknown(size=since)
        path = consistency_path(since, bundle["size"], tree_store.nodes_of(conn))
        earlier = checkpoint_store.of_size(conn, since)
        note = "" if earlier is None else earlier.note
        bundle["consistency"] = {"from": since, "path": hashes_to_json(path), "checkpoint": note}
    if with_openings:
        bundle["openings"] = openings_to_json(leaf_store.find_openings(conn, leaf))
    return bundle


def _rows_of(standing: Standing) -> dict[str, object]:
    head = standing.head
    zh = language() == "zh"
    return {
        "origin": head.origin,
        "size": head.size,
        "waiting": standing.waiting,
        "signed_at": head.signed_at,
        "degraded": standing.degraded,
        "stale": standing.stale,
        "missed": head.missed,
        "witnesses": ", ".join(f"{one.witness}: {one.size}" for one in standing.witnesses),
        "missing_witnesses": ", ".join(standing.missing),
        "alarms": "\n".join(
            f"{one.raised_at.isoformat(timespec='seconds')} {one.zh if zh else one.en}" for one in standing.alarms
        ),
    }


def _tell_verified(done: Verified, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "size": done.size,
                "root": done.root.hex(),
                "checkpoints": done.checkpoints,
                "cosignatures": done.cosignatures,
                "findings": [{"code": one.code, "zh": one.zh, "en": one.en} for one in done.findings],
            }
        )
        return
    for one in done.findings:
        say(f"不符:{one.zh}。", f"WRONG: {one.en}.")
    if not done.findings:
        say(
            f"{done.size} 个条目、{done.checkpoints} 个检查点、{done.cosignatures} 个联署全部相符;根 "
            f"{done.root.hex()}。",
            f"{done.size} leaves, {done.checkpoints} checkpoints and {done.cosignatures} cosignatures agree; root "
            f"{done.root.hex()}.",
        )
