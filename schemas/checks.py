"""Frame checks: every record of a batch at once, the same at connector and hub.

A check looks at columns, never at one record after the other, and answers with a mask of the records that fail. Values
that are null pass every check but ``required``: one mistake gives one reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from schemas import codelists
from schemas.contract import Check, Contract, Field
from schemas.geometry_checks import extent_failures, geometry_failures
from schemas.hygiene import unclean_text
from schemas.identifier_checks import citizen_id_agreement, citizen_id_failures, credit_code_failures
from schemas.reasons import Parameter, Reason

SHANGHAI = timedelta(hours=8)  # records' dates are local; China has one zone and no summer time


@dataclass(frozen=True, slots=True)
class Violation:
    """A reason and the records it holds for: ``failed`` is a mask without nulls, as high as the frame."""

    reason: Reason
    severity: Literal["reject", "flag"]
    failed: pl.Series


Failures = Iterator[tuple[str, Mapping[str, Parameter], pl.Series]]


def check_frame(contract: Contract, frame: pl.DataFrame, *, now: datetime) -> list[Violation]:
    """All violations of a frame that has the contract's columns and types.

    Args:
        contract: whose checks are run.
        frame: records.
        now: aware time that "today" and "the future" are taken from.
    """
    violations: list[Violation] = []
    for field in contract.fields:
        if field.name not in frame.columns:
            continue
        column = frame[field.name]
        for code, severity, failed in unclean_text(column):
            violations.append(Violation(Reason(code, field.name), severity, failed))
        for check in field.checks:
            for code, params, failed in _FIELD[check.kind](field, check.params, frame, now):
                violations.append(Violation(Reason(code, field.name, params), "reject", failed))
    for check in contract.checks:
        for code, params, failed in _RECORD[check.kind](check, frame):
            violations.append(Violation(Reason(code, _blamed(check), params), "reject", failed))
    return [violation for violation in violations if violation.failed.any()]


def reasons_by_row(violations: Sequence[Violation]) -> dict[int, list[Reason]]:
    """Row → why it is rejected, in the order of the checks; flags are no reason to reject."""
    reasons: dict[int, list[Reason]] = {}
    for violation in violations:
        if violation.severity == "reject":
            for row in violation.failed.arg_true().to_list():
                reasons.setdefault(row, []).append(violation.reason)
    return reasons


def _blamed(check: Check) -> str | None:
    """The field that the sender should look at first."""
    return next(
        (str(check.params[name]) for name in ("then", "unit_field", "birth", "sex") if name in check.params), None
    )


def _mask(failed: pl.Series) -> pl.Series:
    return failed.fill_null(value=False)


# Field checks --------------------------------------------------------------------------------------------------------


def _required(_field: Field, _params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    column = frame[_field.name]
    missing = column.is_null()
    if column.dtype == pl.String:
        missing = missing | _mask(column.str.len_bytes() == 0)
    yield "required", {}, missing


def _length(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    least, most = params.get("min", 0), params.get("max", "∞")
    column = frame[field.name]
    in_bytes = column.str.len_bytes()
    # A text has at most as many characters as bytes: most columns need not be counted.
    bounded = isinstance(most, int) and (in_bytes.max() or 0) <= most and least <= 1
    lengths = in_bytes if bounded else column.str.len_chars()
    failed = lengths < least
    if isinstance(most, int):
        failed = failed | (lengths > most)
    yield "length", {"min": least, "max": most}, _mask(failed)


def _pattern(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    # polars' engine is Rust's regex: linear in time like RE2, with the same syntax for what contracts use.
    matched = frame[field.name].str.contains(f"^(?:{params['re']})$")
    yield "pattern", {"pattern": params["re"]}, _mask(~matched)


def _range(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    column = frame[field.name]
    failed = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    if "min" in params:
        failed = failed | _mask(column < params["min"])
    if "max" in params:
        failed = failed | _mask(column > params["max"])
    if column.dtype.is_float():
        failed = failed | _mask(~column.is_finite())
    yield "range", {"min": params.get("min", "-∞"), "max": params.get("max", "∞")}, failed


def _code_list(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    known = pl.Series(sorted(codelists.codes(params["list"])), dtype=pl.String)
    yield "code_unknown", {"list": params["list"]}, _mask(~frame[field.name].is_in(known.implode()))


def _citizen_id(field: Field, _params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    for code, failed in citizen_id_failures(frame[field.name]):
        yield code, {}, failed


def _credit_code(field: Field, _params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    for code, failed in credit_code_failures(frame[field.name]):
        yield code, {}, failed


def _division(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, now: datetime) -> Failures:
    column = frame[field.name]
    lengths = params.get("lengths", [6])
    # Villages (12 digits) are listed for a sample only: the town they begin with must exist.
    looked_up = column.str.slice(0, 9) if 12 in lengths else column  # noqa: PLR2004 - digits of a village
    known = _known_divisions()
    right_length = column.str.len_bytes().is_in(pl.Series(lengths, dtype=pl.UInt32).implode())
    unknown = _mask(~looked_up.is_in(known.implode()) | ~right_length)
    yield "division_unknown", {}, unknown
    retired = {code: one.valid_to for code, one in codelists.divisions().items() if one.valid_to is not None}
    among = looked_up.is_in(pl.Series(list(retired)).implode())
    if among.any():
        last_day = looked_up.replace_strict(retired, default=None, return_dtype=pl.Date)
        used = frame[params["at"]].cast(pl.Date) if "at" in params else pl.Series([(now + SHANGHAI).date()])
        yield "division_retired", {}, _mask(last_day < used)


def _known_divisions() -> pl.Series:
    return pl.Series(list(codelists.divisions()), dtype=pl.String)


def _not_future(field: Field, _params: Mapping[str, Any], frame: pl.DataFrame, now: datetime) -> Failures:
    today = (now + SHANGHAI).date()
    yield "not_future", {}, _mask(frame[field.name].cast(pl.Date) > today)


def _geometry(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    yield from geometry_failures(frame[field.name], params["types"])


def _extent(field: Field, params: Mapping[str, Any], frame: pl.DataFrame, _now: datetime) -> Failures:
    yield from extent_failures(frame[field.name], params["box"])


_FIELD: Mapping[str, Callable[[Field, Mapping[str, Any], pl.DataFrame, datetime], Failures]] = {
    "required": _required,
    "length": _length,
    "pattern": _pattern,
    "range": _range,
    "code_list": _code_list,
    "citizen_id": _citizen_id,
    "credit_code": _credit_code,
    "division": _division,
    "not_future": _not_future,
    "geometry": _geometry,
    "extent": _extent,
}


# Record checks -------------------------------------------------------------------------------------------------------


def _order(check: Check, frame: pl.DataFrame) -> Failures:
    first, then = check.params["first"], check.params["then"]
    yield "order", {"first": first, "then": then}, _mask(frame[first] > frame[then])


def _different(check: Check, frame: pl.DataFrame) -> Failures:
    first, then = check.params["first"], check.params["then"]
    yield "same_person", {"first": first, "then": then}, _mask(frame[first] == frame[then])


def _citizen_id_agrees(check: Check, frame: pl.DataFrame) -> Failures:
    birth, sex = check.params.get("birth"), check.params.get("sex")
    found = citizen_id_agreement(
        frame[check.params["citizen_id"]], frame[birth] if birth else None, frame[sex] if sex else None
    )
    for code, failed in found:
        yield code, {}, failed


def _required_when(check: Check, frame: pl.DataFrame) -> Failures:
    given = frame[check.params["field"]].is_in(pl.Series(check.params["in"]).implode())
    missing = given & frame[check.params["then"]].is_null()
    yield "required_when", {"field": check.params["field"]}, _mask(missing)


def _unit(check: Check, frame: pl.DataFrame) -> Failures:
    indicator, unit = frame[check.params["indicator"]], frame[check.params["unit_field"]]
    right = indicator.replace_strict(dict(codelists.units()), default=None, return_dtype=pl.String)
    failed = _mask(right != unit)
    # One reason for each unit that should have been, so that the sentence can name it.
    for wanted in right.filter(failed).unique().sort().to_list():
        yield "unit_mismatch", {"unit": wanted}, failed & _mask(right == wanted)


_RECORD: Mapping[str, Callable[[Check, pl.DataFrame], Failures]] = {
    "order": _order,
    "different": _different,
    "citizen_id_agrees": _citizen_id_agrees,
    "required_when": _required_when,
    "unit": _unit,
}
