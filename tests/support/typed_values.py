"""Values of every type a contract knows, for properties over random frames."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import shapely
from hypothesis import strategies as st

from schemas.contract import Contract, FieldType, parse_contract
from schemas.frame import polars_type

LOCAL = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - local, as records have them
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
POINTS = st.tuples(st.integers(-180, 180), st.integers(-90, 90)).map(
    lambda place: shapely.to_wkb(shapely.set_srid(shapely.Point(*place), 4490), include_srid=True)
)
VALUES: Mapping[FieldType, st.SearchStrategy[Any]] = {
    FieldType("string"): TEXTS,
    FieldType("int"): st.integers(-(2**31), 2**31 - 1),
    FieldType("long"): st.integers(-(2**63), 2**63 - 1),
    FieldType("float"): st.floats(width=32, allow_nan=False),
    FieldType("double"): st.floats(allow_nan=False),
    FieldType("boolean"): st.booleans(),
    FieldType("bytes"): st.binary(max_size=9),
    FieldType("geometry"): POINTS,
    FieldType("date"): st.dates(),
    FieldType("decimal", 1, 0): st.integers(-9, 9).map(Decimal),
    FieldType("decimal", 9, 2): st.integers(-(10**9) + 1, 10**9 - 1).map(lambda unscaled: Decimal(unscaled).scaleb(-2)),
    FieldType("decimal", 38, 6): st.integers(-(10**38) + 1, 10**38 - 1).map(lambda unscaled: Decimal(f"{unscaled}E-6")),
    FieldType("timestamp_micros"): LOCAL,
    FieldType("timestamp_millis"): LOCAL.map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    ),
}
PLAIN = tuple(VALUES)
IN_ARRAYS = tuple(of for of in PLAIN if of.kind != "geometry")


def values_of(of: FieldType) -> st.SearchStrategy[Any]:
    """Values of a type; arrays may hold nulls and be empty."""
    return VALUES[of] if of.items is None else st.lists(st.none() | values_of(of.items), max_size=3)


def types() -> st.SearchStrategy[FieldType]:
    """Every plain type, and arrays of them one and two deep."""
    one = st.sampled_from(IN_ARRAYS).map(lambda of: FieldType("array", items=of))
    return st.sampled_from(PLAIN) | one | one.map(lambda of: FieldType("array", items=of))


def contract_of(fields: Mapping[str, FieldType]) -> Contract:
    """A contract of the fields; its key is ``code``, a string of its own."""
    title = {"zh": "试", "en": "test"}
    made: list[dict[str, Any]] = []
    for name, of in {"code": FieldType("string"), **fields}.items():
        checks: list[dict[str, Any]] = [{"check": "required"}] if name == "code" else []
        hub: dict[str, Any] = {"title": title, "type": "C", "level": 1, "checks": checks}
        if of.kind == "geometry":
            hub |= {"geometry": True, "checks": [{"check": "geometry", "types": ["Point"]}]}
        made.append({"name": name, "type": ["null", of.to_avro()], "hub": hub})
    hub = {"version": 1, "base": "population", "title": title, "key": ["code"]}
    return parse_contract(json.dumps({"type": "record", "name": "simple", "fields": made, "hub": hub}))


@st.composite
def frames(
    draw: st.DrawFn, of: st.SearchStrategy[FieldType] | None = None, *, records_min: int = 0
) -> tuple[Contract, pl.DataFrame]:
    """A contract of some fields and a frame of it."""
    chosen = draw(st.lists(types() if of is None else of, min_size=1, max_size=4))
    contract = contract_of({f"f{number}": one for number, one in enumerate(chosen)})
    height = draw(st.integers(records_min, 5))
    columns = [
        pl.Series(
            field.name,
            draw(st.lists(st.none() | values_of(field.type), min_size=height, max_size=height)),
            dtype=polars_type(field.type),
        )
        for field in contract.fields
    ]
    return contract, pl.DataFrame(columns)
