"""A batch made ready for the store by the decoding child, and its form on the pipe between the two.

The child reads strangers' bytes, so nothing it says is unpickled: a JSON header, then raw bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record for quarantine.

    Args:
        position: row of the record in its batch, from 0.
        record: every field in text form.
        key: the key's text, None where a part of it is missing.
        version: first part of the version, None where it is missing.
        row: second part of the version.
        digest: SM3 of the record's canonical JSON, hexadecimal.
        reasons: ``{"code", "field", "zh", "en"}`` each.
    """

    position: int
    record: Mapping[str, str | None]
    key: str | None
    version: int | None
    row: int
    digest: str
    reasons: Sequence[Mapping[str, Any]]

    @property
    def codes(self) -> str:
        """Reason codes, sorted and comma-separated: what the content digest knows of the reasons."""
        return ",".join(sorted({f"{reason['code']}:{reason['field'] or ''}" for reason in self.reasons}))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the store needs of one batch.

    Args:
        received: records in the batch.
        rows: records in ``copy``.
        columns: the columns of ``copy``, in order; the last three are ``_version, _row, _n``.
        copy: rows in PostgreSQL's COPY text format, sorted by key, every key once.
        keys: the key texts of a ``keys`` batch.
        rejected: records for quarantine.
        superseded: records of the batch that a higher version in the same batch overrules.
        unchanged: identical repeats inside the batch, folded.
        flags: how often each flag was raised on stored records.
        refusal: why the whole batch is refused, as ``{"code", "zh", "en"}``; everything else is then empty.
        panicked: whether a library panicked on the way. It stays with the child, which then ends.
    """

    received: int
    rows: int = 0
    columns: Sequence[str] = ()
    copy: bytes = b""
    keys: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    superseded: int = 0
    unchanged: int = 0
    flags: Mapping[str, int] = field(default_factory=dict[str, int])
    refusal: Mapping[str, Any] | None = None
    panicked: bool = False

    def to_wire(self) -> tuple[dict[str, Any], list[bytes]]:
        """A JSON header and the raw parts that follow it."""
        header = {
            "received": self.received,
            "rows": self.rows,
            "columns": list(self.columns),
            "superseded": self.superseded,
            "unchanged": self.unchanged,
            "flags": dict(self.flags),
            "refusal": dict(self.refusal) if self.refusal else None,
        }
        rejected = [asdict(one) for one in self.rejected]
        return header, [self.copy, json.dumps(list(self.keys)).encode(), json.dumps(rejected).encode()]

    @classmethod
    def from_wire(cls, header: Mapping[str, Any], parts: Sequence[bytes]) -> "Prepared":
        """The inverse of ``to_wire``."""
        copy, keys, rejected = parts
        return cls(
            received=header["received"],
            rows=header["rows"],
            columns=tuple(header["columns"]),
            copy=copy,
            keys=tuple(json.loads(keys)),
            rejected=tuple(Rejected(**one) for one in json.loads(rejected)),
            superseded=header["superseded"],
            unchanged=header["unchanged"],
            flags=header["flags"],
            refusal=header["refusal"],
        )
