"""A row the database itself refuses, as a quarantine entry: the last net under the checks."""

from collections.abc import Sequence

from psycopg import Error

from hub.exchange.apply.target import Target
from hub.exchange.prepared import Rejected
from schemas.reasons import Reason
from schemas.textform import key_text, record_digest

_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def refused_row(target: Target, columns: Sequence[str], row: bytes, error: Error) -> Rejected:
    """One COPY line and the database's complaint; its message may quote values, so only its SQLSTATE is kept."""
    values = dict(zip(columns, (_value(part) for part in row.decode().rstrip("\n").split("\t")), strict=True))
    record = {name: values[name] for name in target.columns if name in values}
    reason = Reason("store_refused", None, {"sqlstate": error.sqlstate or "?"})
    return Rejected(
        position=int(values["_n"] or 0),
        record=record,
        key=key_text([record.get(name) for name in target.contract.key]),
        version=int(values["_version"] or 0),
        row=int(values["_row"] or 0),
        digest=record_digest(record),
        reasons=[reason.to_json()],
    )


def _value(part: str) -> str | None:
    if part == "\\N":
        return None
    if "\\" not in part:
        return part
    pieces = iter(part)
    return "".join(_UNESCAPES.get(next(pieces, ""), "") if piece == "\\" else piece for piece in pieces)
