"""The elements of a request as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from catalog.grant_text import instant_text
from catalog.request import Elements

MEMBERS: Final = ("basis", "scenario", "fields", "rows", "methods", "valid_from", "valid_until", "consent")


def elements_to_json(elements: Elements) -> dict[str, Any]:
    """Every element, absent ones too."""
    start, end = elements.valid_from, elements.valid_until
    return {
        "basis": elements.basis,
        "scenario": elements.scenario,
        "fields": dict(elements.fields),
        "rows": None if elements.rows is None else dict(elements.rows),
        "methods": sorted(elements.methods),
        "valid_from": None if start is None else instant_text(start),
        "valid_until": None if end is None else instant_text(end),
        "consent": elements.consent,
    }


def elements_from_json(members: Mapping[str, Any]) -> Elements:
    """The inverse of ``elements_to_json``, for JSON that it wrote."""
    start, end = members["valid_from"], members["valid_until"]
    return Elements(
        basis=members["basis"],
        scenario=members["scenario"],
        fields=members["fields"],
        rows=members["rows"],
        methods=frozenset(members["methods"]),
        valid_from=None if start is None else datetime.fromisoformat(start),
        valid_until=None if end is None else datetime.fromisoformat(end),
        consent=members["consent"],
    )
