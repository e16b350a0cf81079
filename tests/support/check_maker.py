"""Contracts with the checks a test is about, and what they find in a few values."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import shapely

from schemas.checks import Violation, check_frame, reasons_by_row
from schemas.contract import Contract, parse_contract
from schemas.frame import polars_type

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
DATE = {"type": "int", "logicalType": "date"}
MICROS = {"type": "long", "logicalType": "local-timestamp-micros"}
_KEY = {"name": "row", "type": ["null", "int"]}


def contract_with(
    fields: Mapping[str, Any],
    checks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    record_checks: Sequence[Mapping[str, Any]] = (),
) -> Contract:
    """A contract of the fields' Avro types (without null; ``geometry`` for one) and their checks; its key: ``row``."""
    title = {"zh": "试", "en": "test"}
    made: list[dict[str, Any]] = [
        {**_KEY, "hub": {"title": title, "type": "I", "level": 1, "checks": [{"check": "required"}]}}
    ]
    for name, of in fields.items():
        own = list((checks or {}).get(name, []))
        hub: dict[str, Any] = {"title": title, "type": "C", "level": 1, "checks": own}
        lists = [check["list"] for check in own if check["check"] == "code_list"]
        hub |= {"code_list": lists[0]} if lists else {}
        hub |= {"geometry": True} if of == "geometry" else {}
        made.append({"name": name, "type": ["null", "bytes" if of == "geometry" else of], "hub": hub})
    hub = {"version": 1, "base": "population", "title": title, "key": ["row"], "checks": list(record_checks)}
    return parse_contract(json.dumps({"type": "record", "name": "checked", "fields": made, "hub": hub}))


def frame_of(contract: Contract, columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """A frame of the contract's types with row numbers as keys; fields that ``columns`` lacks are null."""
    height = len(next(iter(columns.values())))
    return pl.DataFrame(
        [
            pl.Series(
                field.name,
                list(range(height)) if field.name == "row" else columns.get(field.name, [None] * height),
                dtype=polars_type(field.type),
            )
            for field in contract.fields
        ]
    )


def found(contract: Contract, columns: Mapping[str, Sequence[Any]], now: datetime = NOW) -> list[Violation]:
    """The violations; each speaks both languages and repeats none of the texts that were checked."""
    frame = frame_of(contract, columns)
    violations = check_frame(contract, frame, now=now)
    for violation in violations:
        failed = violation.failed
        assert (failed.dtype, len(failed), failed.null_count()) == (pl.Boolean, frame.height, 0)
        told = violation.reason.to_json()
        assert told["zh"]
        assert told["en"]
        values = {str(value) for row in frame.filter(failed).iter_rows() for value in row}
        assert not [value for value in values if len(value) > 5 and value in f"{told['zh']} {told['en']}"]
    return violations


def codes_by_row(contract: Contract, columns: Mapping[str, Sequence[Any]], now: datetime = NOW) -> list[list[str]]:
    """For every record the codes of why it is rejected."""
    reasons = reasons_by_row(found(contract, columns, now))
    return [[reason.code for reason in reasons.get(row, [])] for row in range(len(next(iter(columns.values()))))]


def codes_of(
    of: Any, checks: Sequence[Mapping[str, Any]], values: Sequence[Any], now: datetime = NOW
) -> list[list[str]]:
    """The same for one field."""
    return codes_by_row(contract_with({"value": of}, {"value": checks}), {"value": values}, now)


def ewkb(wkt: str, srid: int = 4490) -> bytes:
    """EWKB of a WKT text."""
    return shapely.to_wkb(shapely.set_srid(shapely.from_wkt(wkt), srid), include_srid=True)
