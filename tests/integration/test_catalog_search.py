"""Search over a real store: what is found, in which order, in pages, and only what a caller may know of."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from entry_maker import NOW, given, office, person, publish, register
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from catalog.caller import PUBLIC, Caller
from catalog.entry_errors import EntryUnknown
from catalog.entry_view_store import changes_for, versions_for, view_of
from catalog.listing_store import MAY_KNOW
from catalog.search import read_query
from catalog.search_store import NO_FILTERS, Filters, Found, search
from catalog.visibility import Sight, may_know, sight_of
from hub.acts import entries
from hub.acts.entries import SecrecyOpinion
from hub.store.connect import connect

NAMES = (
    *("resident", "marriage", "registration", "institution", "division", "place", "indicator", "observation"),
    "tax_registration",
)
DEPARTMENT = Caller("organization:shui-wu", "shui-wu", tier="department")
OWNER = Caller("organization:min-zheng", "min-zheng", tier="department")
AUDITOR = person("auditor", "auditor", organization="da-shu-ju")
CALLERS = (
    PUBLIC,
    person("dev", "developer", organization=None),
    DEPARTMENT,
    OWNER,
    office("min-zheng").steward,
    AUDITOR,
)


@pytest.fixture(scope="module")
def filled(shared_database_url: str) -> Iterator[psycopg.Connection]:
    """Everything published but marriage, which is withdrawn and drafted anew, and place, a draft; never committed."""
    with closing(connect(shared_database_url, "test")) as opened:
        register(opened, *NAMES)
        for name in NAMES:
            if name != "place":
                publish(opened, name)
        steward = office("min-zheng").steward
        entries.withdraw(opened, steward, "420000.marriage", "职责调整", NOW)
        entries.draft(opened, steward, "420000.marriage", given("marriage"), NOW)
        entries.draft(opened, steward, "420000.place", given("place"), NOW)
        yield opened


@pytest.fixture
def conn(filled: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The same for one test: what it changes is rolled back."""
    with filled.transaction(force_rollback=True):
        yield filled


def found(conn: psycopg.Connection, text: str, caller: Caller = AUDITOR, filters: Filters = NO_FILTERS) -> Found:
    return search(conn, read_query(text), sight_of(caller), filters, facets=True)


def names(page: Found) -> list[str]:
    return [hit.dataset.removeprefix("420000.") for hit in page.hits]


@pytest.mark.parametrize(
    ("text", "first", "relaxed"),
    [
        ("江岸", "division", False),
        ("江案区", "division", True),
        ("常住人口", "resident", False),
        ("常住人囗基本信息", "resident", True),
        ("常住人口 基本信息", "resident", False),
        ("常住基本", "resident", True),
        ("ＧＤＰ", "indicator", False),
        ("统计指标", "indicator", False),
        ("統計數據", "observation", False),
        ("universities", "institution", False),
        ("univercities", "institution", True),
        ("102001/1", "registration", False),
        ("纳税信用级别", "tax_registration", False),
    ],
)
def test_what_people_type_finds_what_they_mean(conn: psycopg.Connection, text: str, first: str, relaxed: bool):
    page = found(conn, text)
    assert names(page)[0] == first
    assert page.relaxed is relaxed


def test_a_title_goes_before_a_keyword_and_a_keyword_before_the_rest(conn: psycopg.Connection):
    assert names(found(conn, "统计"))[:2] == ["indicator", "observation"]
    ranks = [hit.place[0] for hit in found(conn, "统计").hits]
    assert ranks == sorted(ranks)
    assert names(found(conn, "行政区划名录")) == ["division"]


def test_nothing_is_found_where_there_is_nothing(conn: psycopg.Connection):
    page = found(conn, "没有这种东西的数据")
    assert (list(page.hits), page.total, page.more) == ([], 0, False)


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.id)
@pytest.mark.parametrize("text", ["", "信息"])
def test_pages_facets_and_counts_hold_exactly_what_a_caller_may_know_of(
    conn: psycopg.Connection, caller: Caller, text: str
):
    sight = sight_of(caller)
    rows = conn.execute("SELECT dataset, audience, organization FROM entry_listing WHERE current").fetchall()
    known = {row[0] for row in rows if may_know(sight, row[1], row[2])}
    page = found(conn, text, caller)
    if not text:
        assert {hit.dataset for hit in page.hits} == known
    assert {hit.dataset for hit in page.hits} <= known
    assert page.total == len(page.hits)
    assert page.facets is not None
    for name, counts in page.facets.items():
        values = [getattr(hit, name) for hit in page.hits]
        assert counts == {value: values.count(value) for value in values}


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.id)
def test_an_entry_that_may_not_be_known_of_is_absent(conn: psycopg.Connection, caller: Caller):
    sight = sight_of(caller)
    seen = {hit.dataset for hit in found(conn, "", caller).hits}
    for dataset in (*(f"420000.{name}" for name in NAMES), "420000.nothing"):
        if dataset in seen:
            assert view_of(conn, dataset, sight, NOW).version.dataset == dataset
            continue
        for read in (lambda one: view_of(conn, one, sight, NOW), lambda one: versions_for(conn, one, sight)):
            with pytest.raises(EntryUnknown) as refused:
                read(dataset)
            assert refused.value.sentence("en") == EntryUnknown(dataset=dataset).sentence("en")


def test_the_owner_sees_work_and_others_see_what_is_in_force(conn: psycopg.Connection):
    publish(conn, "division", update_cycle="monthly")
    owner, department = sight_of(OWNER), sight_of(DEPARTMENT)
    assert [one.version for one in versions_for(conn, "420000.division", owner)] == [2, 1]
    assert [one.version for one in versions_for(conn, "420000.division", department)] == [2]
    assert view_of(conn, "420000.division", owner, NOW).work is not None
    assert view_of(conn, "420000.division", department, NOW).work is None
    with pytest.raises(EntryUnknown):
        view_of(conn, "420000.division", department, NOW, version=1)
    changed = changes_for(conn, "420000.division", owner, 1, 2)
    assert [(one.element, one.after) for one in changed] == [("update_cycle", "monthly")]
    with pytest.raises(EntryUnknown):
        changes_for(conn, "420000.division", department, 1, 2)


def test_a_failed_secrecy_review_hides_an_entry_at_once(conn: psycopg.Connection):
    made = view_of(conn, "420000.division", sight_of(PUBLIC), NOW).version
    failed = SecrecyOpinion(passed=False, opinion="发现未公开事项")
    reviewer = office("min-zheng").secrecy
    entries.secrecy_review(conn, reviewer, "420000.division", made.version, made.sm3, failed, NOW)
    with pytest.raises(EntryUnknown):
        view_of(conn, "420000.division", sight_of(PUBLIC), NOW)
    assert names(found(conn, "江岸", PUBLIC)) == []


def test_filters_narrow_and_regions_hold_what_is_within(conn: psycopg.Connection):
    assert set(names(found(conn, "", AUDITOR, Filters(base=("macro_economy",))))) == {"indicator", "observation"}
    assert names(found(conn, "", AUDITOR, Filters(state=("withdrawn",)))) == []  # the newest is the draft after it
    assert set(names(found(conn, "", AUDITOR, Filters(state=("draft",))))) == {"marriage", "place"}
    assert names(found(conn, "", PUBLIC, Filters(state=("draft",)))) == []
    assert len(names(found(conn, "", AUDITOR, Filters(region="42")))) == len(NAMES)
    assert names(found(conn, "", AUDITOR, Filters(region="4201"))) == []
    assert set(names(found(conn, "", AUDITOR, Filters(level=("4",))))) == {"resident", "marriage", "registration"}


@pytest.mark.parametrize("text", ["", "信息", "常住人囗"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_neither_skip_nor_repeat(conn: psycopg.Connection, text: str, limit: int):
    whole = search(conn, read_query(text), sight_of(AUDITOR), limit=100)
    assert list(_paged(conn, text, limit)) == [hit.dataset for hit in whole.hits]


def _paged(conn: psycopg.Connection, text: str, limit: int) -> Iterator[str]:
    page = search(conn, read_query(text), sight_of(AUDITOR), limit=limit)
    yield from (hit.dataset for hit in page.hits)
    while page.more:
        place = page.hits[-1].place
        page = search(conn, read_query(text), sight_of(AUDITOR), limit=limit, after=place, relaxed=page.relaxed)
        assert page.total is None
        yield from (hit.dataset for hit in page.hits)


ORGANIZATIONS = st.sampled_from(["a", "b"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@generated(st.integers(0, 2), st.none() | ORGANIZATIONS, st.integers(0, 2), ORGANIZATIONS)
def test_the_fragment_in_sql_says_what_the_function_says(
    shared_url: str, audience: int, own: str | None, of_row: int, owner: str
):
    with connect(shared_url, "test") as conn:
        row = conn.execute(
            "SELECT coalesce(" + MAY_KNOW + ", false)"  # noqa: S608 - constants alone
            " FROM (SELECT %(row)s::int AS audience, %(owner)s::text AS organization) l",
            {"audience": audience, "own": own, "row": of_row, "owner": owner},
        ).fetchone()
    assert row is not None
    assert row[0] is may_know(Sight(audience, own), of_row, owner)


@pytest.fixture
def shared_url(cluster_url: str) -> str:
    return cluster_url
