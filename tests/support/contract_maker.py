"""Small contracts for tests, as their JSON text."""

import json
import random
from collections.abc import Mapping
from typing import Any


def contract_text(
    fields: Mapping[str, Any],
    *,
    name: str = "simple",
    key: str | None = None,
    version_field: str | None = None,
    geometry: tuple[str, ...] = (),
) -> str:
    """A contract of the fields' Avro types (without null); the first field is the key unless another is named."""
    key = key or next(iter(fields))
    title = {"zh": "试", "en": "test"}
    made = [
        {
            "name": field,
            "type": ["null", of],
            "hub": {
                "title": title,
                "type": "C",
                "level": 1,
                "checks": [{"check": "required"}] if field in {key, version_field} else [],
                **({"geometry": True} if field in geometry else {}),
            },
        }
        for field, of in fields.items()
    ]
    hub = {"version": 1, "base": "population", "title": title, "key": [key], "version_field": version_field}
    return json.dumps({"type": "record", "name": name, "fields": made, "hub": hub})


def simple_contract_source(*, name: str = "simple", reference: str | None = None) -> str:
    """code, the key; value, a long from 0 on; note, which may name a record of another dataset; at, the version."""
    contract = json.loads(
        contract_text(
            {
                "code": "string",
                "value": "long",
                "note": "string",
                "at": {"type": "long", "logicalType": "local-timestamp-micros"},
            },
            name=name,
            version_field="at",
        )
    )
    contract["fields"][1]["hub"]["checks"] = [{"check": "range", "min": 0}]
    if reference is not None:
        contract["hub"]["references"] = [
            {"name": "note_names", "fields": ["note"], "dataset": reference, "to_fields": ["code"]}
        ]
    return json.dumps(contract)


def long_text(*, bytes_min: int) -> str:
    """Han characters of three bytes each that no compression makes much shorter."""
    return "".join(random.Random(1).choices([chr(code) for code in range(0x4E00, 0x9000)], k=-(-bytes_min // 3)))
