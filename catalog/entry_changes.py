"""What changed between two versions of an entry. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from catalog.entry import Entry
from catalog.entry_json import entry_to_json


@dataclass(frozen=True, slots=True)
class Change:
    """One element that differs.

    Args:
        element: its path, as ``share.type`` or ``items.phone.level``.
        before: its value in the first version; None where it has none.
        after: its value in the second.
    """

    element: str
    before: object
    after: object


def changes_between(first: Entry, second: Entry) -> tuple[Change, ...]:
    """Every element that differs, in the order of the elements; items are matched by name."""
    before, after = dict(_leaves("", _by_name(first))), dict(_leaves("", _by_name(second)))
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def _by_name(entry: Entry) -> dict[str, Any]:
    elements = entry_to_json(entry)
    return elements | {"items": {item["name"]: item for item in elements["items"]}}


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    else:
        yield path, value
