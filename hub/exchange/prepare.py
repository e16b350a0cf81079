"""Verify → decode → check: from a batch's bytes to rows the store can take. Pure; runs in the decoding child.

Good rows leave as COPY text sorted by key, every key once. Bad rows leave as quarantine entries with every reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from hub.exchange.copy_text import copy_text
from hub.exchange.duplicates import settle_duplicates
from hub.exchange.framing import read_marks
from hub.exchange.prepared import Prepared, Rejected
from schemas.batch import Limits, Walked, sm3_hex, verify, walk
from schemas.checks import Violation, check_frame, key_length_violations, reasons_by_row
from schemas.contract import Contract
from schemas.envelope import Envelope
from schemas.errors import AllOrNothing
from schemas.frame import Decoded, decode
from schemas.reasons import Reason
from schemas.singles import decode_singles
from schemas.textform import KEY_BYTES_MAX, key_text, record_digest, text_of

VERSION_AHEAD_MAX = timedelta(seconds=60)  # DESIGN.md: a version more than 60 s ahead is refused
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_SHANGHAI = timedelta(hours=8)


def prepare(
    contract: Contract, envelope: Envelope, container: bytes, now: datetime, limits: Limits, marks: bytes = b""
) -> Prepared:
    """Decode and check one batch.

    Args:
        contract: the version of the contract that the envelope names.
        envelope: parsed envelope.
        container: the container file's bytes.
        now: aware time of the check.
        limits: bounds of what is decoded.
        marks: of a run of single records (``FramedRun.marks``); of a batch there are none.

    Raises:
        BatchError: the whole batch is refused.
    """
    verify(envelope, container)
    walked = walk(container, limits)
    if marks:
        return _prepare_run(contract, envelope, walked, now, marks)
    decoded = decode(contract, walked, envelope.operation)
    if envelope.operation == "keys":
        return _key_list(contract, decoded.frame)
    return _prepare(contract, envelope, decoded, now, _cut_at_once(envelope, decoded.frame.height))


def _prepare(contract: Contract, envelope: Envelope, decoded: Decoded, now: datetime, cut: "_Cut") -> Prepared:
    violations = list(decoded.violations)
    frame = decoded.frame
    if envelope.operation == "upsert":
        violations += check_frame(contract, frame, now=now)
    else:
        violations += key_length_violations(contract, frame)
        violations += _missing(frame, [*contract.key, *([contract.version_field] if contract.version_field else [])])
    versioned = _with_version(contract, frame, cut)
    violations += _too_far_ahead(contract, versioned, now)
    return _settle(contract, versioned, decoded.text, violations)


# Runs of single records ----------------------------------------------------------------------------------------------


def _prepare_run(contract: Contract, envelope: Envelope, walked: Walked, now: datetime, marks: bytes) -> Prepared:
    """A run is a batch of the hub's own making, but that each record came at its own moment, and may be damaged."""
    lengths, moments = read_marks(marks)
    singles = decode_singles(contract, walked, lengths, envelope.operation)
    damaged = list(_damaged(contract, envelope, walked.data, lengths, singles.damaged))
    if contract.all_or_nothing and damaged:
        raise AllOrNothing(rejected=len(damaged))
    if singles.decoded is None:
        return Prepared(received=len(lengths), rejected=damaged, panicked=singles.panicked)
    cut = _Cut(pl.Series(moments, dtype=pl.Int64).gather(singles.kept), singles.kept + envelope.first_row)
    decoded = singles.decoded
    if envelope.operation == "delete":
        decoded = replace(decoded, frame=_deleted_when_it_came(contract, decoded.frame, cut))
    prepared = _prepare(contract, envelope, decoded, now, cut)
    places = singles.kept.to_list()
    rejected = [replace(one, position=places[one.position]) for one in prepared.rejected]
    return replace(
        prepared,
        received=len(lengths),
        rejected=sorted([*rejected, *damaged], key=lambda one: one.position),
        panicked=singles.panicked,
    )


def _damaged(
    contract: Contract, envelope: Envelope, data: bytes, lengths: Sequence[int], found: frozenset[int]
) -> Iterator[Rejected]:
    """Quarantine entries of what nobody can read: by its place in the log, and its bytes' digest."""
    start = 0
    for place, length in enumerate(lengths):
        if place in found:
            yield Rejected(
                position=place,
                record=dict.fromkeys(contract.field_names),
                key=None,
                version=None,
                row=envelope.first_row + place,
                digest=sm3_hex(data[start : start + length]),
                reasons=[Reason("record_damaged").to_json()],
            )
        start += length


def _deleted_when_it_came(contract: Contract, frame: pl.DataFrame, cut: "_Cut") -> pl.DataFrame:
    """A key alone has no version: where that is a time, it is the one at which the deletion reached the log."""
    name = contract.version_field
    if name is None or contract.field(name).type.kind in {"int", "long"}:
        return frame
    local = (cut.moments + _SHANGHAI // _MICROSECOND).cast(pl.Datetime("us")).cast(frame.schema[name])
    return frame.with_columns(pl.coalesce(pl.col(name), local).alias(name))


# Settling ------------------------------------------------------------------------------------------------------------


def _settle(
    contract: Contract, frame: pl.DataFrame, text: pl.DataFrame | None, violations: list[Violation]
) -> Prepared:
    rejected_mask = pl.zeros(frame.height, dtype=pl.Boolean, eager=True)
    for violation in violations:
        if violation.severity == "reject":
            rejected_mask = rejected_mask | violation.failed
    good = frame.filter(~rejected_mask) if rejected_mask.any() else frame
    settled = settle_duplicates(good.sort(contract.key), contract.key)
    reasons = reasons_by_row(violations)
    for position in settled.conflicting:
        reasons[position] = [Reason("conflict_in_batch", None, {})]
    if contract.all_or_nothing and reasons:
        raise AllOrNothing(rejected=len(reasons))
    names = [name for name in contract.field_names if name in frame.columns]
    columns = (*names, "_version", "_row", "_n")
    kept = settled.frame.select(columns)
    return Prepared(
        received=frame.height,
        rows=kept.height,
        columns=columns,
        copy=copy_text(kept, contract) if kept.height else b"",
        rejected=_rejected(contract, frame, text, reasons),
        superseded=settled.superseded,
        unchanged=settled.unchanged,
        flags={
            violation.reason.code: count
            for violation in violations
            if violation.severity == "flag" and (count := int((violation.failed & ~rejected_mask).sum()))
        },
    )


@dataclass(frozen=True, slots=True)
class _Cut:
    """When and where each record was cut: its version, where the contract has no field for that.

    Args:
        moments: microseconds since 1970.
        rows: the records' numbers in their run.
    """

    moments: pl.Series
    rows: pl.Series


def _cut_at_once(envelope: Envelope, records: int) -> _Cut:
    moment = (envelope.cut_at - _EPOCH) // _MICROSECOND
    rows = pl.int_range(envelope.first_row, envelope.first_row + records, dtype=pl.Int64, eager=True)
    return _Cut(pl.repeat(moment, records, dtype=pl.Int64, eager=True), rows)


def _with_version(contract: Contract, frame: pl.DataFrame, cut: _Cut) -> pl.DataFrame:
    """Add ``_version``, ``_row`` and ``_n``; the version is the contract's version field, else (moment, row)."""
    position = pl.int_range(pl.len(), dtype=pl.Int64)
    if contract.version_field is None:
        version, row = cut.moments, cut.rows
    else:
        version, row = _version_of(contract), pl.lit(0, dtype=pl.Int64)
    return frame.with_columns(version.alias("_version"), row.alias("_row"), position.alias("_n"))


def _version_of(contract: Contract) -> pl.Expr:
    assert contract.version_field is not None  # noqa: S101 - the caller looked
    column = pl.col(contract.version_field)
    match contract.field(contract.version_field).type.kind:
        case "timestamp_millis" | "timestamp_micros" | "date":
            return column.cast(pl.Datetime("us")).to_physical()
        case _:
            return column.cast(pl.Int64)


def _too_far_ahead(contract: Contract, frame: pl.DataFrame, now: datetime) -> list[Violation]:
    """Versions that are times must not lie ahead: such a record could not be corrected until then."""
    if contract.version_field is None or contract.field(contract.version_field).type.kind in {"int", "long"}:
        return []
    # Timestamps in records are local time of Asia/Shanghai without a zone.
    latest = (now + VERSION_AHEAD_MAX - _EPOCH + _SHANGHAI) // _MICROSECOND
    return _violations(Reason("version_ahead", contract.version_field, {}), frame["_version"] > latest)


def _missing(frame: pl.DataFrame, names: Sequence[str]) -> list[Violation]:
    return [
        violation for name in names for violation in _violations(Reason("required", name, {}), frame[name].is_null())
    ]


def _violations(reason: Reason, failed: pl.Series) -> list[Violation]:
    failed = failed.fill_null(value=False)
    return [Violation(reason, "reject", failed)] if failed.any() else []


def _key_list(contract: Contract, frame: pl.DataFrame) -> Prepared:
    if frame.select(contract.key).null_count().sum_horizontal().item():
        bad = frame.select(pl.any_horizontal(pl.col(name).is_null() for name in contract.key)).to_series()
        reasons = {position: [Reason("required", contract.key[0], {})] for position in bad.arg_true().to_list()}
        frame_with_version = frame.with_columns(
            pl.lit(None, dtype=pl.Int64).alias("_version"), pl.lit(0, dtype=pl.Int64).alias("_row")
        )
        return Prepared(
            received=frame.height,
            keys=_key_texts(contract, frame.filter(~bad)),
            rejected=_rejected(contract, frame_with_version, None, reasons),
        )
    return Prepared(received=frame.height, keys=_key_texts(contract, frame))


def _key_texts(contract: Contract, frame: pl.DataFrame) -> list[str]:
    # Keys are strings, integers and dates, so a row's text is cheap; lists come once a day, not on the hot path.
    return [str(key_text(row)) for row in frame.select(contract.key).iter_rows()]


def _kept_key(values: Sequence[object]) -> str | None:
    """None for one that no index of the quarantine could hold; no record that is taken will ever have it."""
    text = key_text(values)
    return text if text is None or len(text.encode()) <= 2 * KEY_BYTES_MAX else None


def _rejected(
    contract: Contract, frame: pl.DataFrame, text: pl.DataFrame | None, reasons: dict[int, list[Reason]]
) -> list[Rejected]:
    """Quarantine entries, in the order of the batch. A loop over records: only over the rejected ones."""
    if not reasons:
        return []
    positions = sorted(reasons)
    rows = frame[positions]
    originals = text[positions].to_dicts() if text is not None else [None] * len(positions)
    entries: list[Rejected] = []
    for position, row, original in zip(positions, rows.to_dicts(), originals, strict=True):
        record = {name: text_of(row[name]) for name in contract.field_names if name in row}
        if original is not None:  # what could not be read as its type is kept as it was written
            record |= {name: value for name, value in original.items() if record.get(name) is None}
        entries.append(
            Rejected(
                position=position,
                record=record,
                key=_kept_key([row[name] for name in contract.key]),
                version=row["_version"],
                row=row["_row"] or 0,
                digest=record_digest(record),
                reasons=[reason.to_json() for reason in reasons[position]],
            )
        )
    return entries
