"""What each field of a dataset is labelled now. Pure.

A field's level is the highest of what the published entry, the contract and a raise say (就高从严, GB/T 43697-2024):
the entry is the reviewed act and labels what the contract leaves open, but neither a contract's later, higher level nor
an urgent raise may wait for the entry's next version, and nothing lower may undo either. A field the published entry
does not label, as one that a newer contract version added, has no level whatever the contract says: nobody reviewed it,
so nothing of it leaves.
"""

from collections.abc import Mapping
from typing import Any, cast

from catalog.entry import Entry, highest
from catalog.resource import FieldLabel, FieldLevel
from schemas.contract import Contract


def labels_of(contract: Contract, entry: Entry | None, raised: Mapping[str, str]) -> Mapping[str, FieldLabel]:
    """Every field of the contract as it is labelled now."""
    items = {} if entry is None else {item.name: item for item in entry.items}
    labels: dict[str, FieldLabel] = {}
    for field in contract.fields:
        item = items.get(field.name)
        if item is None or item.level is None:
            labels[field.name] = FieldLabel(field.type, None, "other" if item is None else item.kind)
            continue
        by_contract = cast("FieldLevel | None", field.level)
        level = highest([item.level, by_contract, level_of(raised.get(field.name))])
        labels[field.name] = FieldLabel(field.type, level, item.kind)
    return labels


def level_of(text: str | None) -> FieldLevel | None:
    """A level as the store writes it."""
    return cast("Any", int(text) if text is not None and text.isdecimal() else text)
