"""References: what they give back, and to whom."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.release.reference import ReferenceKeys, make_opaque, read_opaque, read_plain

KEYS = ReferenceKeys(b"m" * 32, b"c" * 16)
PARTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40), min_size=1, max_size=3
)


@given(PARTS)
def test_an_opaque_reference_gives_back_its_key_to_its_holder(parts: list[str]):
    reference = make_opaque(parts, KEYS)
    assert read_opaque(reference, len(parts), KEYS) == tuple(parts)
    assert reference == quote(reference, safe="")


@given(PARTS)
def test_equal_keys_give_equal_references_to_one_holder_and_others_to_another(parts: list[str]):
    other = ReferenceKeys(b"n" * 32, b"d" * 16)
    assert make_opaque(parts, KEYS) == make_opaque(parts, KEYS) != make_opaque(parts, other)
    assert read_opaque(make_opaque(parts, other), len(parts), KEYS) is None
    assert read_opaque(make_opaque(parts, KEYS), len(parts) + 1, KEYS) is None


@given(PARTS, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_reference_is_none(parts: list[str], where: int, change: int):
    reference = make_opaque(parts, KEYS)
    sealed = bytearray(base64.urlsafe_b64decode(reference + "=" * (-len(reference) % 4)))
    sealed[where % len(sealed)] ^= change
    assert read_opaque(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), len(parts), KEYS) is None


@given(st.text(max_size=100))
def test_any_text_is_read_as_no_reference(text: str):
    assert read_opaque(text, 1, KEYS) is None


@given(PARTS)
def test_a_plain_reference_is_the_key_percent_encoded(parts: list[str]):
    assert read_plain(",".join(quote(part, safe="") for part in parts), len(parts)) == tuple(parts)


@pytest.mark.parametrize("reference", ["", "a/b", "a,b", "%ff", "%00", "x" * 5_000])
def test_what_is_no_key_of_one_part_is_none(reference: str):
    assert read_plain(reference, 1) is None
