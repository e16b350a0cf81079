"""How a value looks when it leaves, as SQL: JSON and text are written by PostgreSQL and passed through as bytes.

Both are the text form of ``schemas.textform`` where JSON has no type of its own, so what is read here can be handed in
elsewhere: bytes hexadecimal, times ISO 8601 without offset (Asia/Shanghai by contract). Geometry is GeoJSON in JSON and
WKT in CSV, longitude first. NaN and the infinities are no JSON: null there, their names in CSV.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from psycopg import sql

from catalog.decision import Decision, Treated
from catalog.resource import Resource
from hub.release.compile import Parameters
from hub.release.treated import treated_column
from schemas.contract import FieldType

DECIMAL_DIGITS_MAX: Final = 38
_TEXT: Final = FieldType("string")
_NO_NUMBERS: Final = sql.SQL("CASE WHEN {c} IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE {c} END")
_NO_NUMBERS_WITHIN: Final = sql.SQL("regexp_replace(to_json({c})::text, '\"(NaN|-?Infinity)\"', 'null', 'g')::json")
_TIME: Final = sql.SQL("to_char({c}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")


def given_type(treated: Treated, of: FieldType) -> FieldType:
    """The type of what a treatment makes of a field."""
    if treated.treatment == "clear":
        return of
    if treated.treatment == "generalised" and treated.kind in ("date", "number", "geometry"):
        # Rounded up, 9.9 of two digits is 10: one digit more.
        if of.kind == "decimal":
            return FieldType("decimal", precision=min(of.precision + 1, DECIMAL_DIGITS_MAX), scale=of.scale)
        return of
    return _TEXT


def given_types(decision: Decision, resource: Resource, names: Sequence[str]) -> dict[str, FieldType]:
    """The types of the fields that are given, by name."""
    return {name: given_type(decision.fields[name], resource.fields[name].type) for name in names}


def given_text(decision: Decision, resource: Resource, name: str, pseudonym_key: bytes, form: str) -> str:
    """The expression of one field over row ``t``, treated, in a form: ``json``, ``text`` or ``typed``.

    Its parameters are those of ``column_parameters``.
    """
    return _column(decision.fields[name], resource.fields[name].type, name, pseudonym_key, form)[0]


def given_column(decision: Decision, resource: Resource, name: str, pseudonym_key: bytes, form: str) -> sql.SQL:
    """The same, to be put into a statement."""
    return written(given_text(decision, resource, name, pseudonym_key, form))


def written(text: str) -> sql.SQL:
    """A piece that was rendered before, to be put into a statement."""
    return sql.SQL(text)  # pyright: ignore[reportArgumentType] - rendered by psycopg from identifiers and constants


def column_parameters(
    decision: Decision, resource: Resource, names: Sequence[str], pseudonym_key: bytes, form: str
) -> dict[str, object]:
    """The parameters of the expressions of these fields."""
    found: dict[str, object] = {}
    for name in names:
        found.update(_column(decision.fields[name], resource.fields[name].type, name, pseudonym_key, form)[1])
    return found


@lru_cache(4_096)  # psycopg takes 20 µs to write one, and a field is written the same way each time
def _column(
    treated: Treated, of: FieldType, name: str, pseudonym_key: bytes, form: str
) -> tuple[str, tuple[tuple[str, object], ...]]:
    parameters = Parameters(prefix=f"{name}_")
    column = treated_column(treated, of, "t", name, parameters, pseudonym_key)
    shaped = _SHAPES[form](column, given_type(treated, of))
    return shaped.as_string(None), tuple(parameters.values.items())


def _json(column: sql.Composable, of: FieldType) -> sql.Composable:
    match of.kind:
        case "geometry":
            return sql.SQL("ST_AsGeoJSON({}, 9, 0)::json").format(column)  # 0: no member crs (RFC 7946)
        case "bytes":
            return sql.SQL("encode({}, 'hex')").format(column)
        case "float" | "double":
            return _NO_NUMBERS.format(c=column)
        case "array" if _innermost(of).kind in ("float", "double"):
            return _NO_NUMBERS_WITHIN.format(c=column)
        case _:
            return column


def _plain(column: sql.Composable, of: FieldType) -> sql.Composable:
    match of.kind:
        case "string":
            return column
        case "geometry":
            return sql.SQL("ST_AsText({}, 9)").format(column)
        case "bytes":
            return sql.SQL("encode({}, 'hex')").format(column)
        case "timestamp_millis" | "timestamp_micros":
            return _TIME.format(c=column)
        case "array":
            return sql.SQL("to_json({})::text").format(column)
        case _:
            return sql.SQL("({})::text").format(column)


def _typed(column: sql.Composable, of: FieldType) -> sql.Composable:
    return sql.SQL("ST_AsEWKB({})").format(column) if of.kind == "geometry" else column


def _innermost(of: FieldType) -> FieldType:
    while of.items is not None:
        of = of.items
    return of


_SHAPES: Final = {"json": _json, "text": _plain, "typed": _typed}
