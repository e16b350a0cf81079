"""From the source's columns to the contract's fields: which column, and what is done to its values.

Values are changed a column at a time. What a rule does not know (a code that is not in its map, a date of another form)
passes as it is: the check that follows rejects it with a reason, where a silent null would lose it.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from connectors.column_text import dates_by_form, multiplied, text_form
from connectors.config import FieldRule, MappingPlan
from connectors.errors import ColumnMissing, ColumnUnused, DigitsLost, FieldUnknown
from schemas.contract import Contract, Field
from schemas.envelope import Operation
from schemas.frame import polars_type
from schemas.writer_schema import operation_fields

_FLOAT_EXACT_MAX = 10**15  # a spreadsheet keeps 15 digits of a number
_NEAR_MAX = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """A field and where its values come from."""

    field: Field
    rule: FieldRule


@dataclass(frozen=True, slots=True)
class FittedMapping:
    """A mapping that fits one header.

    Args:
        placed: fields that get values, in the contract's order.
        nulls: texts that mean nothing was given.
        ignored: columns that are not sent, on purpose.
        absent: fields that no column fills; none of them is required.
    """

    placed: tuple[Placed, ...]
    nulls: tuple[str, ...]
    ignored: tuple[str, ...]
    absent: tuple[str, ...]

    def apply(self, frame: pl.DataFrame, first_row: int) -> pl.DataFrame:
        """The fields' columns, each text or of its field's type.

        Args:
            frame: rows under the source's names.
            first_row: number of the first, for errors.

        Raises:
            DigitsLost: a number in a text field has more digits than its file kept.
        """
        columns: list[pl.Series | pl.Expr] = []
        cleaned: dict[str, pl.Series] = {}
        for one in self.placed:
            if one.rule.constant is not None:
                columns.append(pl.lit(one.rule.constant, dtype=pl.String).alias(one.field.name))
                continue
            name = str(one.rule.column)
            if name not in cleaned:
                cleaned[name] = self._without_nulls(frame[name])
            columns.append(_values(one, cleaned[name], first_row).alias(one.field.name))
        return frame.select(columns)

    def _without_nulls(self, column: pl.Series) -> pl.Series:
        if not self.nulls or column.dtype != pl.String:
            return column
        return column.set(column.is_in(pl.Series(self.nulls).implode()).fill_null(value=False), None)


def fit(
    plan: MappingPlan, contract: Contract, columns: Sequence[str], operation: Operation = "upsert"
) -> FittedMapping:
    """Fit a mapping to a header.

    Args:
        plan: what the configuration says.
        contract: whose fields are filled.
        columns: the source's column names.
        operation: decides which fields a record has; of ``delete`` and ``keys`` only those are looked for.

    Raises:
        FieldUnknown: the plan names a field that the contract lacks.
        ColumnMissing: a column that the plan names, or a required field, is not in the header.
        ColumnUnused: the header has a column that nobody said what to do with.
    """
    known = set(contract.field_names)
    for name in plan.fields:
        if name not in known:
            raise FieldUnknown(name, contract.name, _near(name, contract.field_names))
    wanted = operation_fields(contract, operation)
    placed: list[Placed] = []
    absent: list[str] = []
    for name in wanted:
        rule = plan.fields.get(name)
        if rule is None and name in columns and name not in plan.ignore:
            rule = FieldRule(column=name)
        if rule is not None and rule.column is not None and rule.column not in columns:
            raise ColumnMissing(rule.column, name, _near(rule.column, columns))
        if rule is not None:
            placed.append(Placed(contract.field(name), rule))
        elif contract.field(name).required or operation != "upsert":
            raise ColumnMissing(name, name, _near(name, columns))
        else:
            absent.append(name)
    used = {rule.column for rule in plan.fields.values()} | {one.rule.column for one in placed} | set(plan.ignore)
    for column in columns:
        if column not in used:
            raise ColumnUnused(column, _near(column, contract.field_names))
    ignored = tuple(name for name in columns if name in plan.ignore)
    return FittedMapping(tuple(placed), tuple(plan.nulls), ignored, tuple(absent))


def _near(name: str, among: Sequence[str]) -> str:
    lowered: Mapping[str, str] = {one.lower().strip(): one for one in among}
    found = difflib.get_close_matches(name.lower().strip(), [*lowered], _NEAR_MAX, 0.4)
    return ", ".join(lowered[one] for one in found) or ", ".join(sorted(among)[:10]) or "-"


def _values(placed: Placed, column: pl.Series, first_row: int) -> pl.Series:
    """A column as its field's: its own type where the two agree, else text."""
    field, rule = placed.field, placed.rule
    if field.type.kind == "string" and column.dtype.is_float():
        _refuse_lost_digits(column, str(rule.column), first_row)
    changed = rule.codes or rule.date_format or rule.multiply
    if not changed and column.dtype != pl.String:
        typed = _as_typed(field, column)
        if typed is not None:
            return typed
    text = text_form(column, of_kind=field.type.kind)
    if rule.codes:
        text = text.replace([*rule.codes], [*rule.codes.values()])
    if rule.date_format is not None:
        text = dates_by_form(text, rule.date_format, field.type.kind)
    if rule.multiply is not None:
        text = multiplied(text, rule.multiply)
    return text


def _as_typed(field: Field, column: pl.Series) -> pl.Series | None:
    """The column in the field's type where that loses nothing; None where only text tells the truth."""
    wanted = polars_type(field.type)
    if column.dtype == wanted:
        return column
    kind, integer = field.type.kind, column.dtype.is_integer()
    widens = (integer and kind in {"int", "long", "double"}) or (column.dtype == pl.Float32 and kind == "double")
    local = isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None
    if kind in {"timestamp_millis", "timestamp_micros"} and (local or column.dtype == pl.Date):
        widens = True
    if kind == "date" and local:
        midnight = column.dt.truncate("1d")
        widens = bool((column == midnight).fill_null(value=True).all())
    if column.dtype == pl.Null:
        widens = True
    if not widens:
        return None
    cast = column.cast(wanted, strict=False)
    if cast.null_count() != column.null_count():
        return None
    # A finer time than the field keeps is cut, never rounded; a whole number above 2^53 is no double.
    exact = kind != "double" or (cast.cast(column.dtype, strict=False) == column).fill_null(value=True).all()
    return cast if exact else None


def _refuse_lost_digits(column: pl.Series, name: str, first_row: int) -> None:
    lost = (column.abs() >= _FLOAT_EXACT_MAX).fill_null(value=False)
    if lost.any():
        raise DigitsLost(name, first_row + int(lost.arg_true()[0]))
