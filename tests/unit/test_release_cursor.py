"""Cursors are sealed: nobody else's, no other query's, and not for ever."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.release.cursor import TERM, Cursors, Place
from hub.release.errors import CursorWrong
from schemas.national.provider import SoftwareProvider

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
CALLER, DIGEST = "organization:ren-she", "d" * 64
PLACE = Place(("42010219600101000X", None), NOW - timedelta(hours=1), 12)
CURSORS = Cursors(SoftwareProvider(), b"k" * 16)


def test_a_cursor_gives_back_its_place_to_its_caller():
    sealed = CURSORS.seal(PLACE, CALLER, DIGEST, NOW)
    assert CURSORS.open(sealed, CALLER, DIGEST, NOW + timedelta(hours=1)) == PLACE
    assert CURSORS.open(CURSORS.seal(Place((), None, None), CALLER, DIGEST, NOW), CALLER, DIGEST, NOW) == Place(
        (), None, None
    )


def test_a_cursor_shows_nothing_of_the_key_and_is_another_each_time():
    one, other = (CURSORS.seal(PLACE, CALLER, DIGEST, NOW) for _ in range(2))
    assert one != other
    assert b"420102" not in base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))


@pytest.mark.parametrize(
    ("caller", "digest", "key", "later"),
    [
        ("organization:min-zheng", DIGEST, b"k", timedelta()),
        (CALLER, "e" * 64, b"k", timedelta()),
        (CALLER, DIGEST, b"x", timedelta()),
        (CALLER, DIGEST, b"k", TERM),
        (CALLER, DIGEST, b"k", -TERM),
    ],
)
def test_another_callers_another_querys_a_forged_and_an_old_cursor_are_refused_alike(
    caller: str, digest: str, key: bytes, later: timedelta
):
    sealed = Cursors(SoftwareProvider(), key * 16).seal(PLACE, caller, digest, NOW)
    with pytest.raises(CursorWrong) as refused:
        CURSORS.open(sealed, CALLER, DIGEST, NOW + later)
    assert refused.value.parameters() == {}


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_is_one_too_many(where: int, change: int):
    sealed = bytearray(base64.urlsafe_b64decode(CURSORS.seal(PLACE, CALLER, DIGEST, NOW) + "=="))
    sealed[where % len(sealed)] ^= change
    with pytest.raises(CursorWrong):
        CURSORS.open(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), CALLER, DIGEST, NOW)


@given(st.text(max_size=200))
def test_any_text_that_is_no_cursor_is_refused(text: str):
    with pytest.raises(CursorWrong):
        CURSORS.open(text, CALLER, DIGEST, NOW)
