"""What was used of quotas, and refusals that are summed."""

from datetime import UTC, datetime, timedelta

import pytest
from decision_cases import DEPARTMENT, decided, grant, resource

from catalog.caller import PUBLIC
from catalog.grant import Quota
from hub.release.errors import QuotaUsedUp
from hub.release.quota import Quotas, rate_headers, seconds_left, subject_of
from hub.release.refusals import SUMS_MAX, Refusals

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)  # noon in Shanghai


@pytest.mark.parametrize(
    ("quota", "limit"), [(Quota(requests=2), "requests"), (Quota(rows=20), "rows"), (Quota(bytes=200), "bytes")]
)
def test_a_quota_ends_where_it_is_used_up(quota: Quota, limit: str):
    quotas = Quotas()
    for _ in range(2):
        quotas.take("s", quota, (1, 10, 100), NOW)
    for ask in (quotas.take, quotas.check):
        with pytest.raises(QuotaUsedUp) as refused:
            ask("s", quota, (1, 10, 100), NOW)
        assert refused.value.limit == limit
    assert quotas.take("other", quota, (1, 10, 100), NOW) == (1, 10, 100)


def test_what_was_refused_is_not_counted():
    quotas = Quotas()
    with pytest.raises(QuotaUsedUp):
        quotas.take("s", Quota(rows=20), (1, 21, 0), NOW)
    assert quotas.take("s", Quota(rows=20), (1, 20, 0), NOW) == (1, 20, 0)


def test_a_day_ends_at_midnight_in_shanghai():
    quotas = Quotas()
    quotas.take("s", Quota(requests=1), (1, 0, 0), NOW)
    assert seconds_left(NOW) == 12 * 3600
    assert quotas.take("s", Quota(requests=1), (1, 0, 0), NOW + timedelta(hours=12)) == (1, 0, 0)


def test_a_grants_quota_is_one_whoever_uses_it_and_the_publics_is_one():
    under_grant = decided(DEPARTMENT, resource(), [grant()])
    assert subject_of(DEPARTMENT, under_grant) == f"grant:{under_grant.grant}"
    opened = decided(PUBLIC, resource(opened="unconditional"))
    assert subject_of(PUBLIC, opened) == "tier:public"
    assert subject_of(DEPARTMENT, opened) == DEPARTMENT.id


def test_rate_headers_tell_what_is_limited_and_what_is_left():
    assert rate_headers(Quota(), (1, 2, 3), NOW) == []
    assert rate_headers(Quota(requests=5, bytes=100), (2, 9, 130), NOW) == [
        ("ratelimit-policy", '"requests";q=5;w=86400, "bytes";q=100;w=86400;qu="content-bytes"'),
        ("ratelimit", '"requests";r=3;t=43200, "bytes";r=0;t=43200'),
    ]


def test_refusals_of_a_minute_are_one_leaf_whose_id_every_answer_names():
    refusals = Refusals()
    ids = {refusals.add("public", "420000.resident", "open.persons", NOW) for _ in range(3)}
    assert refusals.ended(NOW) == []
    ended = refusals.ended(NOW + timedelta(minutes=1))
    assert [(id_, leaf.rows, leaf.decision, leaf.rules) for id_, leaf in ended] == [
        (ids.pop(), 3, "denied", ("open.persons",))
    ]
    assert refusals.ended(NOW + timedelta(minutes=1)) == ended  # until it is durable
    refusals.written([ended[0][0]])
    assert refusals.ended(NOW + timedelta(minutes=1)) == []


def test_whoever_asks_for_everything_does_not_fill_the_memory():
    refusals = Refusals()
    for number in range(SUMS_MAX + 50):
        refusals.add("public", f"420000.d{number}", "tier.open", NOW)
    sums = refusals.ended(NOW, everything=True)
    assert len(sums) == SUMS_MAX + 1
    assert sum(leaf.rows for _, leaf in sums) == SUMS_MAX + 50
