"""hub organization key, hub organization require-signature."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from catalog import key_store
from catalog.errors import OrganizationUnknown
from catalog.organization_key import DAYS_MAX
from catalog.store import find_organization
from hub.acts import keys
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, say, show_json, show_rows, transaction
from schemas.national.errors import KeyUnreadable
from schemas.national.sm2 import PEM_CHARACTERS_MAX

key = typer.Typer(
    help="Public keys an organization signs its batches with: two overlap, so that one can be replaced.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Organization id, as in gong-an.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Key id, as in k2026-a; it stands in hub-signature.")]


@key.command("add")
def add_key(
    id_: Id,
    key_id: KeyId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="SM2 public key in PEM, of connector key new.")],
    *,
    acting_as: ActingAs,
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Days until the key ends.")] = 365,
    begins: Annotated[
        datetime | None, typer.Option("--from", help="When it begins to count (UTC); now without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a public key. Make sure by another way (a visit, a sealed letter) that the fingerprint is theirs."""
    now = datetime.now(UTC)
    valid_from = now if begins is None else begins.replace(tzinfo=UTC)
    pem = _text_of(file)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        made = keys.add_key(conn, actor, id_, key_id, pem, valid_from, valid_from + timedelta(days=days), now)
    if as_json:
        show_json(asdict(made))
        return
    until = made.valid_until.date()
    say(
        f"已登记 {id_} 的密钥 {key_id},{until} 到期。指纹(SM3):{made.fingerprint}",
        f"key {key_id} of {id_} is registered, until {until}. Fingerprint (SM3): {made.fingerprint}",
    )


@key.command("revoke")
def revoke_key(
    id_: Id,
    key_id: KeyId,
    *,
    reason: Annotated[str, typer.Option(help="Why; in the ledger it stands as a commitment.")],
    acting_as: ActingAs,
) -> None:
    """End a key now: batches under it are refused, also those that wait already."""
    now = datetime.now(UTC)
    with transaction() as conn:
        keys.revoke_key(conn, caller_of_login(conn, acting_as, now), id_, key_id, reason, now)
    say(f"{id_} 的密钥 {key_id} 已撤销。", f"key {key_id} of {id_} is revoked.")


@key.command("list")
def list_keys(id_: Id, as_json: AsJson = False) -> None:
    """List an organization's keys with their terms, ended ones too."""
    now = datetime.now(UTC)
    with transaction() as conn:
        if find_organization(conn, id_) is None:
            raise OrganizationUnknown(organization=id_)
        found = key_store.list_keys(conn, id_)
    rows = [
        {
            "key_id": one.key_id,
            "standing": one.standing(now),
            "valid_from": one.valid_from,
            "valid_until": one.valid_until,
            "revoked_at": one.revoked_at,
            "fingerprint": one.fingerprint,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json)


def require_signature(
    id_: Id,
    *,
    acting_as: ActingAs,
    required: Annotated[bool, typer.Option("--on/--off", help="Whether a batch needs a signature.")] = True,
) -> None:
    """Refuse an organization's batches where they are not signed, or (--off) take them again."""
    now = datetime.now(UTC)
    with transaction() as conn:
        keys.require_signature(conn, caller_of_login(conn, acting_as, now), id_, required=required, now=now)
    if required:
        say(f"{id_} 的批次此后必须签名。", f"batches of {id_} must be signed from now on.")
    else:
        say(f"{id_} 的批次不再要求签名。", f"batches of {id_} need no signature any more.")


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes()[: PEM_CHARACTERS_MAX + 1].decode("ascii")
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise KeyUnreadable(problem_zh=f"{file.name}:{reason}", problem_en=f"{file.name}: {reason}") from None
    except UnicodeDecodeError:
        raise KeyUnreadable(problem_zh=f"{file.name} 不是 PEM 文本", problem_en=f"{file.name} is no PEM text") from None
