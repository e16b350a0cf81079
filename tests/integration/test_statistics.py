"""Statistics over a real store: counted in one statement, published by two persons, and never more than may be."""

import hashlib
import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import entry_maker
import psycopg
import pytest
from entry_maker import NOW, office, person
from psycopg import sql
from resident_maker import COLUMNS, RESIDENT, SYSTEM, Row, definition, put, resident

from catalog.aggregate import Aggregate, aggregate_from_json
from catalog.aggregate_errors import (
    AggregateChanged,
    AggregateNotOpen,
    AggregateStepWrong,
    AggregateUnknown,
    AggregateWrong,
    DisclosureRefused,
)
from catalog.aggregate_store import AggregateRelease, find_published, read_forms, read_statements
from catalog.errors import DatasetUnknown, RoleNeeded
from catalog.request_errors import OnePersonTwice
from hub.acts import aggregates, entries
from hub.exchange.apply.target import Target
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import last_leaves
from hub.release.statistics import count_persons

WHO = office()
STRANGER = person("stranger", "steward", organization="min-zheng")
CONTRACT = entry_maker.contracts()["resident"]


def aggregate(name: str = "age_and_sex", **changes: Any) -> Aggregate:
    return aggregate_from_json(definition(name, **changes), CONTRACT)


@pytest.fixture
def conn(connection: psycopg.Connection) -> psycopg.Connection:
    """A hub with 6,000 residents in seven counties and their entry in force."""
    entry_maker.register(connection, "resident")
    entry_maker.publish(connection, "resident")
    put(connection, [resident(number) for number in range(6_000)])
    return connection


def computed(conn: psycopg.Connection, name: str = "age_and_sex", **options: Any) -> AggregateRelease:
    aggregates.define(conn, WHO.steward, definition(name), NOW)
    return aggregates.compute(conn, WHO.steward, RESIDENT, name, NOW, **options)


def published(conn: psycopg.Connection, name: str = "age_and_sex", **options: Any) -> AggregateRelease:
    made = computed(conn, name, **options)
    aggregates.review(conn, WHO.reviewer, made.id, made.certificate, NOW)
    return aggregates.publish(conn, WHO.steward, made.id, made.certificate, NOW)


def document(conn: psycopg.Connection, release: AggregateRelease) -> Any:
    return json.loads(read_forms(conn, release.id)["json"])


# Counting ------------------------------------------------------------------------------------------------------------


def test_persons_are_counted_by_the_leaves_that_python_finds(conn: psycopg.Connection):
    odd = [
        resident(10_001, sex=None, education=None, division_code="4201"),
        resident(10_002, sex="7", birth_date=None),
        resident(10_003, birth_date=date(2027, 1, 1)),
        resident(10_004, birth_date=date(2006, 11, 25)),
        resident(10_005, birth_date=date(2006, 11, 26)),
        resident(10_006, birth_date=date(1899, 2, 28), division_code="x20102"),
    ]
    put(conn, odd)
    rows = [resident(number) for number in range(6_000)] + odd
    day = date(2026, 11, 25)
    found = count_persons(conn, Target(RESIDENT, CONTRACT), aggregate(), [aggregate("education")], NOW)
    expected = Counter((region(row), code(row["sex"], "0129"), age(row["birth_date"], day)) for row in rows)
    assert found.leaves == expected
    with_education = Counter(
        (
            (region(row), code(row["sex"], "0129"), age(row["birth_date"], day)),
            (region(row), row["education"] or "unknown"),
        )
        for row in rows
    )
    assert found.pairs == [with_education]


def region(row: Row) -> str:
    head = row["division_code"][:6]
    return head if len(head) == 6 and head.isdigit() else "unknown"


def code(value: str | None, known: str) -> str:
    return value if value is not None and value in known else "unknown"


def age(born: date | None, day: date) -> str:
    if born is None or born > day:
        return "unknown"
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return str(min(years // 5 * 5, 85))


def test_counts_are_of_an_instant_whatever_was_written_since(conn: psycopg.Connection):
    target = Target(RESIDENT, CONTRACT)
    before = count_persons(conn, target, aggregate(), [], NOW)
    later = NOW + timedelta(minutes=1)
    put(conn, [resident(20_000 + number) for number in range(50)], taken=later)
    moved = sql.SQL(
        "INSERT INTO data.{history} ({columns}, _until) SELECT {columns}, %(at)s FROM data.{current}"
        " WHERE id_number < '000000000000000100'"
    )
    names: dict[str, sql.Composable] = {
        "current": sql.Identifier("420000_resident"),
        "history": sql.Identifier("420000_resident_history"),
    }
    names["columns"] = sql.SQL(", ").join(map(sql.Identifier, (*COLUMNS, *SYSTEM)))
    conn.execute(moved.format(**names), {"at": later})
    update = sql.SQL(
        "UPDATE data.{current} SET division_code = '429004', _taken = %(at)s WHERE id_number < '000000000000000100'"
    )
    conn.execute(update.format(**names), {"at": later})
    assert count_persons(conn, target, aggregate(), [], NOW).leaves == before.leaves
    now = count_persons(conn, target, aggregate(), [], later)
    assert sum(now.leaves.values()) == 6_050
    assert sum(count for leaves, count in now.leaves.items() if leaves[0] == "429004") == 100


# Publishing ----------------------------------------------------------------------------------------------------------


def test_a_table_is_computed_reviewed_and_published_by_two_persons_and_every_act_is_a_leaf(conn: psycopg.Connection):
    made = computed(conn)
    assert find_published(conn, RESIDENT, "age_and_sex") is None
    aggregates.review(conn, WHO.reviewer, made.id, made.certificate, NOW)
    done = aggregates.publish(conn, WHO.steward, made.id, made.certificate, NOW)
    assert (done.state, done.number) == ("published", 1)
    leaves = [read_record(leaf) for leaf in reversed(last_leaves(conn, 4))]
    assert [leaf["action"] for leaf in leaves] == [
        "aggregate.defined", "aggregate.computed", "aggregate.reviewed", "aggregate.published",
    ]  # fmt: skip
    assert {leaf["result_digest"] for leaf in leaves[1:]} == {made.certificate}
    forms = read_forms(conn, made.id)
    report = json.loads(forms["report"])
    assert hashlib.new("sm3", forms["report"]).hexdigest() == made.certificate
    assert report["sm3"] == {name: hashlib.new("sm3", forms[name]).hexdigest() for name in ("json", "csv")}
    assert report["k"]["smallest_published_rounded"] >= 10


def test_what_is_published_is_rounded_and_no_person_is_in_it(conn: psycopg.Connection):
    found = document(conn, published(conn))
    counts = [cell["persons"] for one in found["slices"] for cell in one["cells"]]
    assert all(count >= 10 and count % 5 == 0 for count in counts)
    whole = next(one for one in found["slices"] if (one["region"], one["detail"]) == ("", "all"))
    assert whole["cells"][0]["persons"] == 6_000
    exact = json.dumps([one.counts[()] for one in read_statements(conn, RESIDENT)["all", "420102"]])
    assert exact not in json.dumps(found)


def test_who_defined_or_computed_cannot_review_also_by_another_account(conn: psycopg.Connection):
    made = computed(conn)
    double = person("double", "reviewer", "steward", human="steward-gong-an")
    with pytest.raises(OnePersonTwice):
        aggregates.review(conn, double, made.id, made.certificate, NOW)
    with pytest.raises(RoleNeeded):
        aggregates.review(conn, WHO.steward, made.id, made.certificate, NOW)
    aggregates.review(conn, WHO.reviewer, made.id, made.certificate, NOW)
    by_reviewer = person("other", "administrator", organization=None, human="reviewer")
    with pytest.raises(OnePersonTwice):
        aggregates.publish(conn, by_reviewer, made.id, made.certificate, NOW)


def test_a_review_counts_for_its_certificate_alone_and_bytes_do_not_change(conn: psycopg.Connection):
    made = computed(conn)
    with pytest.raises(AggregateChanged):
        aggregates.review(conn, WHO.reviewer, made.id, "0" * 64, NOW)
    with pytest.raises(AggregateStepWrong):
        aggregates.publish(conn, WHO.steward, made.id, made.certificate, NOW)
    with pytest.raises(psycopg.errors.RaiseException), conn.transaction():
        conn.execute("UPDATE aggregate_release SET json = '{}' WHERE id = %s", [made.id])
    with pytest.raises(psycopg.errors.RaiseException), conn.transaction():
        conn.execute("DELETE FROM aggregate_release WHERE id = %s", [made.id])


def test_a_stranger_learns_no_more_than_that_there_is_no_such_dataset(conn: psycopg.Connection):
    made = computed(conn)
    with pytest.raises(DatasetUnknown):
        aggregates.define(conn, STRANGER, definition(), NOW)
    with pytest.raises(DatasetUnknown):
        aggregates.compute(conn, STRANGER, RESIDENT, "age_and_sex", NOW)
    with pytest.raises(DatasetUnknown):
        aggregates.read_release(conn, STRANGER, made.id)
    assert aggregates.list_all(conn, STRANGER, None) == []
    with pytest.raises(AggregateUnknown):
        aggregates.compute(conn, WHO.steward, RESIDENT, "nothing", NOW)
    with pytest.raises(RoleNeeded):
        aggregates.list_all(conn, person("nobody"), None)


def test_the_same_definition_again_is_no_new_version_and_another_is(conn: psycopg.Connection):
    first = aggregates.define(conn, WHO.steward, definition(), NOW)
    assert aggregates.define(conn, WHO.steward, definition(), NOW) == first
    assert aggregates.define(conn, WHO.steward, definition(k=15), NOW).version == 2
    with pytest.raises(AggregateWrong):
        aggregates.define(conn, WHO.steward, definition(where="sex = '1'"), NOW)


# Against what was published before -----------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["added", "moved", "nothing"])
def test_one_person_more_or_elsewhere_makes_no_new_release(conn: psycopg.Connection, event: str):
    published(conn)
    if event == "added":
        put(conn, [resident(30_000)])
    if event == "moved":
        conn.execute(
            "UPDATE data.\"420000_resident\" SET division_code = '420502' WHERE id_number = '000000000000000007'"
        )
    with pytest.raises(DisclosureRefused) as refused:
        aggregates.compute(conn, WHO.steward, RESIDENT, "age_and_sex", NOW)
    assert refused.value.parameters() == {"aggregate": f"{RESIDENT}/age_and_sex", "rule": "unchanged"}


def test_many_persons_more_make_a_release_in_which_what_has_changed_little_stands(conn: psycopg.Connection):
    first = published(conn)
    put(conn, [resident(40_000 + number, division_code="420102") for number in range(400)])
    put(conn, [resident(50_000, division_code="420502")])
    second = published(conn)
    before, after = document(conn, first), document(conn, second)
    totals = [
        {one["region"]: (one["cells"][0]["persons"], one["as_of"]) for one in each["slices"] if one["detail"] == "all"}
        for each in (before, after)
    ]
    assert totals[1][""][0] == totals[0][""][0] + 400
    assert totals[1]["420502"] == totals[0]["420502"]
    assert find_published(conn, RESIDENT, "age_and_sex") == second
    assert [one.state for one in aggregates.list_all(conn, WHO.steward, RESIDENT)].count("superseded") == 1


def test_a_release_computed_before_another_was_published_is_computed_anew(conn: psycopg.Connection):
    first, second = computed(conn), computed(conn, "education", instant=NOW)
    for made in (first, second):
        aggregates.review(conn, WHO.reviewer, made.id, made.certificate, NOW)
    aggregates.publish(conn, WHO.steward, first.id, first.certificate, NOW)
    with pytest.raises(AggregateChanged):
        aggregates.publish(conn, WHO.steward, second.id, second.certificate, NOW)


def test_two_aggregates_of_one_instant_share_their_totals_and_both_are_published(conn: psycopg.Connection):
    first = published(conn, instant=NOW)
    second = published(conn, "education", instant=NOW)
    totals = [
        {one["region"]: one["cells"] for one in document(conn, each)["slices"] if one["detail"] == "all"}
        for each in (first, second)
    ]
    assert totals[0] == totals[1]
    stated = {one["detail"] for one in document(conn, second)["slices"]}
    assert stated == {"all", "education:stage", "education:code"}


def test_a_recalled_release_is_gone_and_what_it_said_still_counts(conn: psycopg.Connection):
    made = published(conn)
    aggregates.recall(conn, WHO.steward, made.id, "口径有误", NOW)
    assert find_published(conn, RESIDENT, "age_and_sex") is None
    put(conn, [resident(60_000)])
    with pytest.raises(DisclosureRefused):
        aggregates.compute(conn, WHO.steward, RESIDENT, "age_and_sex", NOW)
    with pytest.raises(AggregateStepWrong):
        aggregates.recall(conn, WHO.steward, made.id, "再次", NOW)


def test_a_raised_level_or_a_withdrawn_entry_closes_the_statistics(conn: psycopg.Connection):
    made = computed(conn)
    aggregates.review(conn, WHO.reviewer, made.id, made.certificate, NOW)
    entries.raise_level(conn, WHO.reviewer, RESIDENT, "birth_date", "important", "重要数据", NOW)
    with pytest.raises(AggregateNotOpen) as refused:
        aggregates.publish(conn, WHO.steward, made.id, made.certificate, NOW)
    assert refused.value.rule == "level"
    with pytest.raises(AggregateNotOpen):
        aggregates.compute(conn, WHO.steward, RESIDENT, "age_and_sex", NOW)


def test_too_few_persons_are_refused_by_the_rules_name_alone(connection: psycopg.Connection):
    entry_maker.register(connection, "resident")
    entry_maker.publish(connection, "resident")
    put(connection, [resident(number) for number in range(9)])
    with pytest.raises(DisclosureRefused) as refused:
        computed(connection)
    assert refused.value.rule == "threshold"
    assert "9" not in refused.value.sentence("en")
