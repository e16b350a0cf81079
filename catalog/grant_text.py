"""A grant as JSON, and the digest that an approval is bound to."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from catalog.condition import AnyOf, Condition
from catalog.condition_errors import ConditionWrong
from catalog.condition_json import condition_from_json, condition_to_json
from catalog.grant import Grant, Quota
from schemas.batch import sm3_hex
from schemas.contract import FieldType

NO_ROWS = AnyOf(())  # true of none


def grant_to_json(grant: Grant) -> dict[str, Any]:
    """Every field of a grant; instants in UTC to the microsecond."""
    return {
        "id": grant.id,
        "kind": grant.kind,
        "holder": grant.holder,
        "dataset": grant.dataset,
        "fields": dict(grant.fields),
        "laws": dict(grant.laws),
        "rows": None if grant.rows is None else condition_to_json(grant.rows),
        "purpose": grant.purpose,
        "basis": grant.basis,
        "methods": sorted(grant.methods),
        "quota": {"requests": grant.quota.requests, "rows": grant.quota.rows, "bytes": grant.quota.bytes},
        "valid_from": instant_text(grant.valid_from),
        "valid_until": instant_text(grant.valid_until),
        "state": grant.state,
        "request": grant.request,
    }


def grant_from_json(content: Mapping[str, Any], types: Mapping[str, FieldType]) -> Grant:
    """The inverse of ``grant_to_json``, for JSON that it wrote."""
    return Grant(
        id=content["id"],
        kind=content["kind"],
        holder=content["holder"],
        dataset=content["dataset"],
        fields=content["fields"],
        laws=content["laws"],
        rows=rows_from_json(content["rows"], types),
        purpose=content["purpose"],
        basis=content["basis"],
        methods=frozenset(content["methods"]),
        quota=Quota(**content["quota"]),
        valid_from=datetime.fromisoformat(content["valid_from"]),
        valid_until=datetime.fromisoformat(content["valid_until"]),
        state=content["state"],
        request=content["request"],
    )


def rows_from_json(value: object, types: Mapping[str, FieldType]) -> Condition | None:
    """A stored row condition; one that cannot be read any more gives no rows at all."""
    if value is None:
        return None
    try:
        return condition_from_json(value, types)
    except ConditionWrong:
        return NO_ROWS


def text_of_grant(grant: Grant) -> str:
    """Canonical JSON: members sorted, no white space. What is proposed, approved and digested are these bytes."""
    return json.dumps(grant_to_json(grant), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest_of(text: str) -> str:
    """SM3 of a text in UTF-8, hexadecimal."""
    return sm3_hex(text.encode())


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
