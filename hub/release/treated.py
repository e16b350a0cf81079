"""Fields as SQL: what a treatment makes of a column, inside the database. ``catalog.masking`` says what it must be.

What is withheld has no expression at all: it cannot leave by mistake.
"""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import sql

from catalog.decision import Decision, Treated
from catalog.masking import (
    ADDRESS_TO_CITY,
    ADDRESS_TO_COUNTY,
    COMPOUND_SURNAMES,
    GRID_DEGREES,
    PSEUDONYM_HEX_DIGITS,
    REGION_DIGITS,
)
from catalog.resource import FieldKind
from hub.release.compile import Parameters
from hub.store.tables import column_type
from schemas.contract import FieldType

# {c} is the column as text, {first} … are constants. NULL stays NULL through every one of them.
_MIDDLE: Final[Mapping[FieldKind, tuple[int, int, int]]] = {
    "citizen_id": (1, 1, 16),
    "phone": (3, 4, 4),
    "bank_card": (0, 4, 4),
    "credit_code": (2, 2, 14),
}
_NUMBER: Final[LiteralString] = """CASE
    WHEN {c} IN ('NaN', 'Infinity', '-Infinity') THEN NULL
    WHEN {c} = 0 THEN {c}
    ELSE round(({c})::text::numeric, -floor(log(abs(({c})::text::numeric)))::int)::{type} END"""
_EXACT: Final[LiteralString] = """CASE
    WHEN {c} = 0 THEN {c}
    ELSE round(({c})::numeric, -floor(log(abs(({c})::numeric)))::int)::{type} END"""


def treated_columns(
    decision: Decision,
    types: Mapping[str, FieldType],
    alias: str,
    parameters: Parameters,
    pseudonym_key: bytes,
    names: tuple[str, ...] | None = None,
) -> dict[str, sql.Composable]:
    """For each field that leaves (of ``names``, where given) the expression of what leaves."""
    wanted = decision.given_fields if names is None else names
    return {
        name: treated_column(decision.fields[name], types[name], alias, name, parameters, pseudonym_key)
        for name in wanted
        if decision.fields[name].treatment != "withheld"
    }


def treated_column(
    treated: Treated, of: FieldType, alias: str, name: str, parameters: Parameters, pseudonym_key: bytes
) -> sql.Composable:
    """The expression of one field that leaves."""
    column = sql.Identifier(alias, name)
    text = sql.SQL("({})::text").format(column) if of.kind != "string" else column
    match treated.treatment:
        case "clear":
            return column
        case "masked":
            return _masked(treated.kind, text, parameters)
        case "generalised":
            return _generalised(treated.kind, of, column, text)
        case "pseudonymous":
            return sql.SQL("left(encode(hmac(convert_to({}, 'UTF8'), {}::bytea, 'sm3'), 'hex'), {})").format(
                text, parameters.add(pseudonym_key), sql.Literal(PSEUDONYM_HEX_DIGITS)
            )
        case "withheld":
            raise ValueError(name)  # the caller leaves it out


def _masked(kind: FieldKind, text: sql.Composable, parameters: Parameters) -> sql.Composable:
    if kind in _MIDDLE:
        first, last, stars = _MIDDLE[kind]
        template = sql.SQL(
            "CASE WHEN char_length({c}) <= {ends} THEN {stars}"
            " WHEN {c} IS NOT NULL THEN left({c}, {first}) || {stars} || right({c}, {last}) END"
        )
        return template.format(
            c=text,
            ends=sql.Literal(first + last),
            first=sql.Literal(first),
            last=sql.Literal(last),
            stars=sql.Literal("*" * stars),
        )
    if kind == "name":
        compound = parameters.add(list(COMPOUND_SURNAMES))
        template = sql.SQL(
            "left({c}, CASE WHEN char_length({c}) > 2 AND left({c}, 2) = ANY({compound}::text[]) THEN 2 ELSE 1 END)"
            " || '**'"
        )
        return template.format(c=text, compound=compound)
    if kind == "address":
        return _address(text, ADDRESS_TO_COUNTY)
    if kind == "email":
        template = sql.SQL(
            "left(split_part({c}, '@', 1), 1) || '***'"
            " || CASE WHEN strpos({c}, '@') > 0 THEN substr({c}, strpos({c}, '@')) ELSE '' END"
        )
        return template.format(c=text)
    return sql.SQL("left({}, 1) || '**'").format(text)


def _address(text: sql.Composable, pattern: str) -> sql.Composable:
    template = sql.SQL("CASE WHEN {c} IS NOT NULL THEN coalesce(substring({c} from {pattern}), '') || '***' END")
    return template.format(c=text, pattern=sql.Literal(pattern))


def _generalised(kind: FieldKind, of: FieldType, column: sql.Composable, text: sql.Composable) -> sql.Composable:
    # A decimal rounds up beyond its own precision: 9.9 in numeric(2,1) is 10.
    cast = sql.SQL("numeric" if of.kind == "decimal" else column_type(of))  # pyright: ignore[reportArgumentType] - a closed table of types
    match kind:
        case "citizen_id":
            return sql.SQL("left({}, 4) || {}").format(text, sql.Literal("*" * 14))
        case "address":
            return _address(text, ADDRESS_TO_CITY)
        case "date":
            return sql.SQL("date_trunc('year', {})::{}").format(column, cast)
        case "number":
            template = sql.SQL(_NUMBER) if of.kind in ("float", "double") else sql.SQL(_EXACT)
            return template.format(c=column, type=cast)
        case "geometry":
            return sql.SQL("ST_SnapToGrid(ST_Centroid({}), {})").format(column, sql.Literal(GRID_DEGREES))
        case _:
            template = sql.SQL(
                "CASE WHEN char_length({c}) >= {digits} THEN rpad(left({c}, 4), char_length({c}), '0')"
                " WHEN {c} IS NOT NULL THEN '*' END"
            )
            return template.format(c=text, digits=sql.Literal(REGION_DIGITS))
