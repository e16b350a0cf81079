"""The dataset's contract, from the hub, kept in the state folder: a version never changes, asking again costs a 304."""

import json
from pathlib import Path

from connectors.client import Door
from schemas.contract import Contract, parse_contract


def contract_of(door: Door, folder: Path, name: str, version: int) -> Contract:
    """A version of a contract.

    Args:
        door: of the hub that has it.
        folder: where texts are kept.
        name: of the contract.
        version: of the contract.

    Raises:
        ContractError: what the hub answered is none; a connector older than its hub, perhaps.
        TryAgain, AccessRefused: as ``Door.contract``.
    """
    file = folder / f"{name}-{version}.json"
    kept = _kept(file)
    answer = door.contract(name, version, kept[1] if kept else None)
    if answer is None and kept is not None:
        return parse_contract(kept[0])
    text, etag = answer or ("", "")
    contract = parse_contract(text)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps({"etag": etag, "contract": text}), encoding="utf-8")
    unfinished.replace(file)
    return contract


def _kept(file: Path) -> tuple[str, str] | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return str(kept["contract"]), str(kept["etag"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
