"""Code lists that contracts name: national standards and a few of the hub's own, as data beside this module.

Each is a CSV with ``code`` and titles. ``divisions`` (GB/T 2260 and the statistical codes below it) also says until
when a code was valid and what replaced it; ``provenance`` V was read in its source, M is from memory of published
changes and is to be checked before anyone relies on it. The sources stand in ``seeds/README.md``.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Division:
    """One division; ``valid_to`` is its last day, None while it stands."""

    code: str
    name: str
    valid_to: date | None
    successor: str | None


@cache
def names() -> frozenset[str]:
    """The names of all code lists."""
    files = resources.files("schemas").joinpath("codelists").iterdir()
    return frozenset(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


@cache
def rows(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of a list. Read once in a process: lists change with the code only."""
    text = resources.files("schemas").joinpath("codelists", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def codes(name: str) -> frozenset[str]:
    """The codes of a list."""
    return frozenset(row["code"] for row in rows(name))


@cache
def divisions() -> Mapping[str, Division]:
    """Every division ever valid, by code."""
    return {
        row["code"]: Division(
            row["code"],
            row["name_zh"],
            date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            row["successor"] or None,
        )
        for row in rows("divisions")
    }


@cache
def units() -> Mapping[str, str]:
    """The unit each indicator is measured in."""
    return {row["code"]: row["unit"] for row in rows("indicator_unit")}
