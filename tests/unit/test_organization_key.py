"""An organization's key: what it may be, and when it counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.key_errors import OrganizationKeyWrong
from catalog.organization_key import DAYS_MAX, OrganizationKey, make_key
from schemas.national.errors import KeyUnreadable
from schemas.national.sm2 import PrivateKey

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PRIVATE = PrivateKey.generate()
PEM = PRIVATE.public.to_pem()


def key(**changes: object) -> OrganizationKey:
    given = {"key_id": "k-2026", "pem": PEM, "valid_from": NOW, "valid_until": NOW + DAY} | changes
    return make_key("gong-an", now=NOW, **given)  # pyright: ignore[reportArgumentType]  # names checked by the call


def test_a_key_keeps_its_one_text_and_its_fingerprint():
    made = key(pem="\n" + PEM.replace("\n", "\r\n"))
    assert made.pem == PEM
    assert made.fingerprint == PRIVATE.public.fingerprint
    assert made.public.verify(b"m", PRIVATE.sign(b"m"))


def test_a_key_counts_from_its_first_instant_up_to_its_last():
    made = key()
    instants = {-1: "early", 0: "valid", 86_399: "valid", 86_400: "ended"}
    assert {second: made.standing(NOW + timedelta(seconds=second)) for second in instants} == instants


def test_a_revoked_key_counts_for_nothing_whenever_it_came():
    revoked = replace(key(), revoked_at=NOW + timedelta(hours=1))
    assert {revoked.standing(NOW + timedelta(hours=hours)) for hours in (0, 2, 48)} == {"revoked"}


@pytest.mark.parametrize("key_id", ["", "A", "1", "a:b", "a_b", "a" * 65, "a\n"])
def test_an_id_that_cannot_stand_in_the_header_is_refused(key_id: str):
    with pytest.raises(OrganizationKeyWrong):
        key(key_id=key_id)


@pytest.mark.parametrize(
    "term",
    [(NOW, NOW), (NOW, NOW - DAY), (NOW - 2 * DAY, NOW - DAY), (NOW, NOW + timedelta(days=DAYS_MAX, seconds=1))],
)
def test_a_term_that_is_over_or_too_long_is_refused(term: tuple[datetime, datetime]):
    with pytest.raises(OrganizationKeyWrong):
        key(valid_from=term[0], valid_until=term[1])


@pytest.mark.parametrize("pem", ["", "x", PRIVATE.to_pem()])
def test_what_is_no_public_key_is_refused(pem: str):
    with pytest.raises(KeyUnreadable):
        key(pem=pem)
