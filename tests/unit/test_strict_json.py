"""JSON with one reading only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import INTEGER_MAX, StrictJsonError, read_strict

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans())
def test_what_json_writes_is_read_the_same(value: object, ascii_only: bool):
    assert read_strict(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_fraction_is_read_only_where_fractions_are_allowed(value: float):
    text = json.dumps([value]).encode()
    assert read_strict(text, floats=True) == [value]
    with pytest.raises(StrictJsonError):
        read_strict(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b"01",
        b"+1",
        b"// 1",
        b"1 2",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[1e400]",
        b"[-1e400]",
        b"9007199254740992",
        b"-9007199254740992",
        b"9" * 5_000,
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"o":{"a":1,"b":2,"a":3}}',
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"\xff",
        b"\xef\xbb\xbf1",
        b'"\x00"',
        '"\ud800"'.encode("utf-8", "surrogatepass"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: bytes):
    with pytest.raises(StrictJsonError) as refused:
        read_strict(text, floats=True)
    assert refused.value.zh
    assert refused.value.en


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [3, 33, 1_000, 100_000])
def test_depth_is_bounded(opening: bytes, depth: int):
    closing = b"]" if opening == b"[" else b"}"
    text = opening * depth + b"1" + closing * depth
    with pytest.raises(StrictJsonError):
        read_strict(text, depth_max=depth - 1)
    if depth < 1_000:
        read_strict(text, depth_max=depth)


def test_the_refusal_does_not_repeat_what_was_sent():
    with pytest.raises(StrictJsonError) as refused:
        read_strict(b'{"secret": "420106199001010000", ')
    assert "420106" not in refused.value.zh + refused.value.en
