"""A body that fits a schema of the OpenAPI document, with as little in it as may be."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Schema = Mapping[str, Any]
ABSENT: Final = "01999999-0000-7000-8000-000000000000"

# A text for each pattern of the document. Where a new one comes, add its example.
OF_PATTERN: Final[Mapping[str, str]] = {
    r"^[^\x00]*$": "文",
    r"^[^\x00-\x1f\x7f]*$": "name",
    r"^[a-z][a-z0-9._-]{1,63}$": "nobody",
    r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$": "420000.resident",
    "^[0-9a-f]{64}$": "0" * 64,
    "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$": ABSENT,
    "^(organization|application|person):[a-z0-9-]+$": "organization:ren-she",
    r"^[123]\d{2}\d{3}\d*/\d+$": "306001/000001",
    "^[a-z][a-z0-9_]{0,62}$": "name",
    "^[1-9][0-9]{5}$": "420000",
    "^[a-z0-9._-]*$": "name",
    "^([1-9][0-9]{1,5})?$": "42",
    "^[^,]+(,[^,]+)*$": "name",
    r"^-?[0-9]{1,3}(\.[0-9]+)?(,-?[0-9]{1,3}(\.[0-9]+)?){3}$": "113,29,115,31",
}


def example_of(document: Schema, schema: Schema) -> Any:
    """The smallest value that fits: what is not required is left out."""
    if "$ref" in schema:
        return example_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return example_of(document, schema[choice][0])
    return schema["enum"][0] if "enum" in schema else _of_type(document, schema)


def _of_type(document: Schema, schema: Schema) -> Any:
    match schema["type"]:
        case "object":
            properties = schema.get("properties", {})
            return {name: example_of(document, properties[name]) for name in schema.get("required", ())}
        case "array":
            return [example_of(document, schema["items"])] * schema.get("minItems", 0)
        case "string":
            return _text(schema)
        case "integer":
            return schema.get("minimum", 1)
        case _:
            return {"number": 1.5, "boolean": True}[schema["type"]]


def _text(schema: Schema) -> str:
    soon = datetime.now(UTC) + timedelta(days=1)
    by_format = {"uuid": ABSENT, "date-time": soon.isoformat(), "date": soon.date().isoformat()}
    if "format" in schema:
        return by_format[schema["format"]]
    if "pattern" in schema:
        return OF_PATTERN[schema["pattern"]]
    return "x" * max(schema.get("minLength", 0), 1)
