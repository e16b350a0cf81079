"""The course of a grant: suspended, rectified, resumed, ended; and emergency grants that end by themselves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import grant_course
from catalog.condition import StartsWith
from catalog.grant import Grant, Quota
from catalog.grant_course import GivenGrant
from catalog.grant_errors import GrantError, GrantStepNotNow
from catalog.grant_text import digest_of, grant_from_json, grant_to_json, text_of_grant
from schemas.contract import FieldType

NOW = datetime(2026, 11, 25, tzinfo=UTC)
GRANT = Grant(
    id="01999999-0000-7000-8000-000000000000",
    kind="ordinary",
    holder="organization:ren-she",
    dataset="420000.resident",
    fields={"name": "masked", "division_code": "clear"},
    laws={},
    rows=StartsWith("division_code", "4201"),
    purpose="资格核验",
    basis="社会保险法",
    methods=frozenset({"api", "file"}),
    quota=Quota(rows=2**60),
    valid_from=NOW,
    valid_until=NOW + timedelta(days=100),
    state="active",
    request="01999999-0000-7000-8000-000000000001",
)
TYPES = {"division_code": FieldType("string"), "name": FieldType("string")}
GIVEN = GivenGrant(GRANT, "0" * 64, "person:a", "a", NOW)
EMERGENCY = replace(GIVEN, grant=replace(GRANT, kind="emergency", request=None), review_by=NOW + timedelta(days=7))
Move = Literal["suspend", "rectify", "resume", "review", "end"]


def moved(given_grant: GivenGrant, move: Move, now: datetime) -> GivenGrant:
    if move == "suspend":
        return grant_course.suspend(given_grant, now + timedelta(days=5), now)
    return getattr(grant_course, move)(given_grant, now)


@given(
    st.sampled_from([GIVEN, EMERGENCY]),
    st.lists(
        st.tuples(st.sampled_from(["suspend", "rectify", "resume", "review", "end"]), st.integers(0, 30)), max_size=12
    ),
)
def test_whatever_is_tried_what_is_over_stays_over(start: GivenGrant, tried: list[tuple[Move, int]]):
    found, now, over = start, NOW, False
    for move, days in tried:
        now += timedelta(days=days)
        over = over or found.grant.state == "ended" or found.lapsed(now)
        try:
            changed = moved(found, move, now)
        except GrantError:
            continue
        assert not over or changed.grant.state == "ended"
        assert replace(changed.grant, state="active") == replace(found.grant, state="active")  # what was allowed stays
        assert (changed.grant.state == "suspended") == (changed.rectify_by is not None)
        assert (changed.grant.state == "ended") == (changed.ended_at is not None)
        found = changed
    assert found.holds_until <= GRANT.valid_until


def test_a_suspended_grant_is_resumed_only_once_rectified():
    suspended = moved(GIVEN, "suspend", NOW)
    with pytest.raises(GrantStepNotNow):
        moved(suspended, "resume", NOW)
    rectified = moved(suspended, "rectify", NOW)
    with pytest.raises(GrantStepNotNow):
        moved(rectified, "rectify", NOW)
    assert moved(rectified, "resume", NOW) == GIVEN


def test_an_emergency_grant_holds_until_its_review_and_then_for_its_term():
    assert EMERGENCY.review_by is not None
    assert EMERGENCY.holds_until == EMERGENCY.review_by
    assert EMERGENCY.lapsed(EMERGENCY.review_by)
    reviewed = moved(EMERGENCY, "review", NOW)
    assert reviewed.holds_until == GRANT.valid_until
    assert not reviewed.lapsed(EMERGENCY.review_by)
    for wrong in (reviewed, GIVEN):
        with pytest.raises(GrantStepNotNow):
            moved(wrong, "review", NOW)
    with pytest.raises(GrantStepNotNow):
        moved(EMERGENCY, "review", EMERGENCY.review_by)


def test_a_grant_survives_json_and_every_member_is_in_the_digest():
    content = grant_to_json(GRANT)
    assert grant_from_json(content, TYPES) == GRANT
    digests = {digest_of(text_of_grant(GRANT))}
    others = [
        *(replace(GRANT, **{name: "x"}) for name in ("id", "holder", "dataset", "purpose", "basis", "request")),
        replace(GRANT, kind="emergency"),
        replace(GRANT, fields={"name": "clear", "division_code": "clear"}),
        replace(GRANT, laws={"name": "法"}),
        replace(GRANT, rows=None),
        replace(GRANT, methods=frozenset({"api"})),
        replace(GRANT, quota=Quota(rows=2**60 - 1)),
        replace(GRANT, valid_from=NOW + timedelta(microseconds=1)),
        replace(GRANT, valid_until=NOW + timedelta(days=101)),
        replace(GRANT, state="suspended"),
    ]
    digests |= {digest_of(text_of_grant(other)) for other in others}
    assert len(digests) == 1 + len(others)
    assert set(content) == set(Grant.__dataclass_fields__)


def test_a_digest_does_not_depend_on_the_order_of_members():
    turned = replace(GRANT, fields=dict(sorted(GRANT.fields.items())))
    assert text_of_grant(turned) == text_of_grant(GRANT)
