"""NDJSON and JSON become a container file in text form; what two programs would read differently is refused."""

import io
import json

import fastavro
import pytest

from hub.api.conversion import Converted, from_json, from_ndjson
from hub.api.errors import BodyEmpty, RowsTooMany, RowUnreadable
from schemas.contract import Contract, Field, FieldType


def field(name: str, kind: FieldType) -> Field:
    return Field(name, kind, name, name, "C", 1, None, None, ())


CONTRACT = Contract(
    name="thing",
    version=1,
    base="theme",
    title_zh="物",
    title_en="thing",
    fields=(
        field("id", FieldType("string")),
        field("amount", FieldType("decimal", 12, 2)),
        field("active", FieldType("boolean")),
        field("tags", FieldType("array", items=FieldType("string"))),
        field("updated_at", FieldType("timestamp_micros")),
    ),
    key=("id",),
    version_field="updated_at",
    checks=(),
    references=(),
    entities=(),
    all_or_nothing=False,
    source="{}",
)


def records(converted: Converted) -> list[dict[str, str | None]]:
    found = list(fastavro.reader(io.BytesIO(converted.container)))
    assert len(found) == converted.records
    return found  # pyright: ignore[reportReturnType]  # the schema has strings only


def ndjson(text: str, records_max: int = 10) -> Converted:
    return from_ndjson(text.encode("utf-8", "surrogatepass"), CONTRACT, "upsert", records_max)


def test_numbers_keep_their_text():
    found = records(
        ndjson('{"id": "a", "amount": 12345678901234567890.10}\n{"id": 9223372036854775808, "amount": 1e400}')
    )
    assert [(one["id"], one["amount"]) for one in found] == [
        ("a", "12345678901234567890.10"),
        ("9223372036854775808", "1e400"),
    ]


def test_what_is_left_out_is_null_and_arrays_are_json():
    (found,) = records(ndjson('{"id": "a", "active": true, "tags": ["x", 1, null, false]}'))
    assert found == {"id": "a", "amount": None, "active": "true", "tags": '["x","1",null,"false"]', "updated_at": None}


@pytest.mark.parametrize(
    "body",
    [
        '[{"id":"a"},{"id":"b"}]',
        ' [ {"id" : "a"} , \n {"id":"b"} ] \n',
        '\ufeff[{"id":"a"},{"id":"b"}]',
    ],
)
def test_a_json_array_is_read_element_by_element(body: str):
    assert [one["id"] for one in records(from_json(body.encode(), CONTRACT, "upsert", 10))] == ["a", "b"]


def test_one_json_object_is_one_record():
    assert [one["id"] for one in records(from_json(b'{"id":"a"}', CONTRACT, "upsert", 10))] == ["a"]


def test_a_byte_order_mark_blank_lines_and_carriage_returns_are_no_records():
    found = from_ndjson(b'\xef\xbb\xbf{"id":"a"}\r\n\r\n{"id":"b"}\r\n', CONTRACT, "upsert", 10)
    assert [one["id"] for one in records(found)] == ["a", "b"]


def test_equal_rows_give_equal_bytes():
    assert ndjson('{"id":"a"}').container == ndjson('{ "id": "a" }').container


def test_a_delete_has_key_and_version_only():
    found = from_ndjson(b'{"id":"a","updated_at":"2026-01-01T00:00:00"}', CONTRACT, "delete", 10)
    assert set(records(found)[0]) == {"id", "updated_at"}
    with pytest.raises(RowUnreadable) as refused:
        from_ndjson(b'{"id":"a","amount":1}', CONTRACT, "delete", 10)
    assert refused.value.problem == "unknown_field"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "b", "id": "c"}', "duplicate_field"),
        ('{"id": "b", "amount": NaN}', "not_a_number"),
        ('{"id": "b", "amount": -Infinity}', "not_a_number"),
        ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "depth"),
        ('{"id": "\\ud800"}', "surrogate"),
        ('{"id": "b", "colour": "red"}', "unknown_field"),
        ('{"id": {"x": 1}}', "nested"),
        ('{"id": ["x"]}', "nested"),
        ('{"tags": [["x"]]}', "nested"),
        ("[1]", "object"),
        ("null", "object"),
        ('"text"', "object"),
        ('{"id": "b"', "syntax"),
        ('{"id": "b"} {}', "syntax"),
        ("{'id': 'b'}", "syntax"),
        ('{"id": "\x01"}', "syntax"),
    ],
)
def test_an_unreadable_row_is_named(line: str, problem: str):
    with pytest.raises(RowUnreadable) as refused:
        ndjson('{"id": "a"}\n' + line)
    assert (refused.value.row, refused.value.problem) == (2, problem)
    with pytest.raises(RowUnreadable) as refused:
        from_json(('[{"id": "a"},' + line + "]").encode("utf-8", "surrogatepass"), CONTRACT, "upsert", 10)
    assert refused.value.row in {2, 3}  # a missing comma is noticed where the next record should begin


def test_rows_that_are_not_utf_8_are_named():
    with pytest.raises(RowUnreadable) as refused:
        from_ndjson('{"id": "a"}\n{"id": "张"}'.encode("gb18030"), CONTRACT, "upsert", 10)
    assert (refused.value.row, refused.value.problem) == (2, "encoding")


@pytest.mark.parametrize(
    "body", ['[{"id":"a"}', '[{"id":"a"},', '[{"id":"a"},]', '[{"id":"a"}] x', '[{"id":"a"} {"id":"b"}]']
)
def test_a_half_written_array_is_refused(body: str):
    with pytest.raises(RowUnreadable):
        from_json(body.encode(), CONTRACT, "upsert", 10)


@pytest.mark.parametrize("body", [b"", b"  \n ", b"[]", b"[ ]"])
def test_nothing_is_no_batch(body: bytes):
    with pytest.raises(BodyEmpty):
        from_json(body, CONTRACT, "upsert", 10)
    if b"[" not in body:
        with pytest.raises(BodyEmpty):
            from_ndjson(body, CONTRACT, "upsert", 10)


def test_more_rows_than_a_batch_holds_are_refused_at_the_first_too_many():
    lines = "\n".join(json.dumps({"id": str(number)}) for number in range(11))
    assert ndjson(lines, 11).records == 11
    with pytest.raises(RowsTooMany) as refused:
        ndjson(lines, 10)
    assert refused.value.row == 11


def test_a_strange_field_name_is_escaped_before_it_stands_in_a_sentence():
    with pytest.raises(RowUnreadable) as refused:
        ndjson(json.dumps({"\x1b[31m\n" + "x" * 500: 1}))
    sentence = refused.value.sentence("en")
    assert "\x1b" not in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400
