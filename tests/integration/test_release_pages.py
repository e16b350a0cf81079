"""Pages: their order, their ends, their moment, and every type in every form."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
from contract_maker import contract_text, long_text
from psycopg import Connection
from release_maker import PLACE, RESIDENT, KeysInMemory, WayOut, places, residents, way_out

from catalog.caller import PUBLIC, Caller
from catalog.dataset import Dataset
from catalog.decision import Asked, Decision, Treated
from catalog.grant import Quota
from catalog.resource import FieldLabel, Resource
from catalog.store import find_dataset
from hub.exchange.registry_store import contract_of, register_contract, register_dataset
from hub.release.errors import IndexRefused
from hub.release.formats import FORMATS
from hub.release.gate import Decided
from hub.release.index import add_index
from hub.release.page import Ask, Page, body_bytes
from hub.release.plan import Planner
from hub.release.query import Wanted
from hub.release.reference import ReferenceKeys, make_opaque
from hub.release.release import fetch
from hub.store.connect import connect
from schemas.national.provider import SoftwareProvider

OBSERVATION = "420000.observation"
SEED = 20261125


@pytest.fixture
def out(database_url: str) -> Iterator[WayOut]:
    with way_out(database_url, OBSERVATION, PLACE) as made:
        yield made


def observations(count: int) -> list[dict[str, Any]]:
    """Values with gaps and ties, in no order."""
    dice = random.Random(SEED)
    made = [
        {
            "indicator": f"A{number % 7:02d}",
            "region": f"4201{number % 3:02d}",
            "frequency": "year",
            "period": f"{2000 + number // 21}",
            "value": None if dice.random() < 0.3 else Decimal(dice.randrange(-3, 4)),
            "unit": None if dice.random() < 0.3 else dice.choice(["人", "万元", ""]),
            "source": "test",
            "source_version": "1",
        }
        for number in range(count)
    ]
    dice.shuffle(made)
    return made


def every_page(out: WayOut, query: str, limit: int) -> list[dict[str, Any]]:
    """All records, page by page, by the links."""
    found: list[dict[str, Any]] = []
    pairs = [tuple(one.split("=", 1)) for one in f"limit={limit}&{query}".split("&") if one]
    given = pairs
    for _ in range(1_000):
        page = json.loads(out.get(PUBLIC, OBSERVATION, given, purpose=None).body)  # pyright: ignore[reportArgumentType] - as the case needs it
        found += page["records"]
        assert len(page["records"]) <= limit
        if "next" not in page:
            return found
        assert len(page["records"]) == limit
        given = [*pairs, ("cursor", page["next"].partition("cursor=")[2])]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 7, 40])
@pytest.mark.parametrize(
    "order", ["", "value", "-value", "unit,-value", "-unit,value", "-period", "-value,unit,-region"]
)
def test_paging_neither_repeats_nor_leaves_out_a_record(out: WayOut, order: str, limit: int):
    rows = observations(60)
    out.take(OBSERVATION, rows)
    found = every_page(out, f"sort={order}&count=none" if order else "count=none", limit)
    keys = [(one["indicator"], one["region"], one["period"]) for one in found]
    expected = [(one["indicator"], one["region"], one["period"]) for one in stable(rows, order)]
    assert keys == expected


def stable(rows: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    found = sorted(rows, key=lambda row: (row["indicator"], row["region"], row["period"]))
    for name in reversed([one for one in order.split(",") if one]):
        field, descending = name.removeprefix("-"), name.startswith("-")
        known = [row for row in found if row[field] is not None]
        unknown = [row for row in found if row[field] is None]
        values = sorted({row[field] for row in known}, reverse=descending)
        known = [row for value in values for row in known if row[field] == value]
        found = unknown + known if descending else known + unknown
    return found


def test_a_record_that_comes_while_one_pages_shifts_nothing(out: WayOut):
    rows = observations(40)
    out.take(OBSERVATION, rows[:30])
    first = json.loads(out.get(PUBLIC, OBSERVATION, "limit=10", purpose=None).body)
    out.take(OBSERVATION, rows[30:])
    cursor = first["next"].partition("cursor=")[2]
    rest = json.loads(out.get(PUBLIC, OBSERVATION, [("limit", "100"), ("cursor", cursor)], purpose=None).body)
    references = [one["_ref"] for one in (*first["records"], *rest["records"])]
    assert len(set(references)) == len(references)
    assert {one["_ref"] for one in rest["records"]} >= set(references[10:])
    assert "next" not in rest


def test_counts_are_exact_estimated_or_none(out: WayOut):
    rows = observations(60)
    out.take(OBSERVATION, rows)
    out.conn.execute('ANALYZE data."420000_observation"')
    matches = len(every_page(out, "value=from:0,until:2&count=none", 100))
    for how in ("exact", "estimated", "none"):
        page = json.loads(out.get(PUBLIC, OBSERVATION, f"value=from:0,until:2&count={how}", purpose=None).body)
        if how == "none":
            assert "count" not in page
        else:
            assert page["count"]["kind"] == how
    assert (
        json.loads(out.get(PUBLIC, OBSERVATION, "value=from:0,until:2&count=exact", purpose=None).body)["count"][
            "value"
        ]
        == matches
    )
    whole = json.loads(out.get(PUBLIC, OBSERVATION, "", purpose=None).body)
    assert whole["count"] == {"kind": "estimated", "value": 60}
    cursor = whole["next"].partition("cursor=")[2]
    out.take(
        OBSERVATION, [one | {"source": str(number), "region": f"4202{number:02d}"} for number, one in enumerate(rows)]
    )
    out.conn.execute('ANALYZE data."420000_observation"')
    again = json.loads(out.get(PUBLIC, OBSERVATION, [("cursor", cursor)], purpose=None).body)
    assert again["count"] == whole["count"]


def test_an_estimate_never_contradicts_its_page(out: WayOut):
    out.take(OBSERVATION, observations(60))  # and nobody has analysed the table

    def counted(query: str) -> tuple[int, int, bool]:
        page = json.loads(out.get(PUBLIC, OBSERVATION, query, purpose=None).body)
        return page["count"]["value"], len(page["records"]), "next" in page

    assert counted("source=nowhere") == (0, 0, False)
    assert counted("limit=1000") == (60, 60, False)
    value, shown, more = counted("value=from:0,until:2&limit=2")
    assert more
    assert value > shown


# Moments -------------------------------------------------------------------------------------------------------------


def test_the_records_of_a_moment_are_those_of_then_under_todays_policy(out: WayOut):
    rows = observations(30)
    out.take(OBSERVATION, rows)
    then = out.now = moment(out)
    out.take(OBSERVATION, [one | {"value": Decimal(99)} for one in rows[:10]], version=2)
    out.take(OBSERVATION, rows[10:12], version=3, delete=True)
    out.take(OBSERVATION, [one | {"region": f"4202{number:02d}"} for number, one in enumerate(rows[:5])], version=2)
    out.now = moment(out)
    query = f"as_of={then.isoformat()}"
    found = every_page(out, f"{query}&sort=-value&count=exact", 7)
    assert [one["_ref"] for one in found] == [
        f"{one['indicator']},{one['region']},{one['period']}" for one in stable(rows, "-value")
    ]
    page = out.get(PUBLIC, OBSERVATION, f"{query}&count=exact&limit=5", purpose=None)
    assert json.loads(page.body)["count"]["value"] == 30
    assert dict(page.headers)["hub-instant"] == then.isoformat().replace("+00:00", "Z")
    single = out.record(PUBLIC, OBSERVATION, found[-1]["_ref"], purpose=None, as_of=then)
    assert json.loads(single.body) == found[-1]
    out.raise_level(OBSERVATION, "value", 3)
    assert "value" not in json.loads(out.get(PUBLIC, OBSERVATION, query, purpose=None).body)["records"][0]


def test_a_moment_to_come_is_clamped_to_the_horizon_and_pages_keep_it(out: WayOut):
    rows = observations(30)
    out.take(OBSERVATION, rows)
    page = out.get(PUBLIC, OBSERVATION, "as_of=2099-01-01T00:00:00Z&limit=10&count=none", purpose=None)
    instant = dict(page.headers)["hub-instant"]
    assert instant < "2099"
    out.take(OBSERVATION, rows, version=2, delete=True)
    following = json.loads(page.body)["next"].partition("cursor=")[2]
    rest = out.get(
        PUBLIC,
        OBSERVATION,
        [("as_of", "2099-01-01T00:00:00Z"), ("limit", "100"), ("count", "none"), ("cursor", following)],
        purpose=None,
    )
    assert dict(rest.headers)["hub-instant"] == instant
    assert len(json.loads(rest.body)["records"]) == 20
    assert json.loads(out.get(PUBLIC, OBSERVATION, "count=none", purpose=None).body)["records"] == []


def moment(out: WayOut) -> datetime:
    row = out.conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0]


# Places and indexes --------------------------------------------------------------------------------------------------


def test_a_box_finds_what_touches_it(out: WayOut):
    out.take(PLACE, places(30))
    found = json.loads(out.get(PUBLIC, PLACE, "bbox=110.045,30,110.085,31&limit=50", purpose=None).body)["records"]
    assert [one["geometry"]["coordinates"][0] for one in found] == [110.06, 110.07, 110.08, 110.05]
    posted = out.post(PUBLIC, PLACE, {"bbox": [110.045, 30, 110.085, 31], "limit": 50}, purpose=None)
    assert json.loads(posted.body)["records"] == found


def test_a_position_has_its_index_from_the_beginning_and_other_fields_on_demand(out: WayOut):
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = '420000_place' ORDER BY 1"
    defined = " ".join(row[0] for row in out.conn.execute(indexes).fetchall())
    assert "USING gist (geometry)" in defined
    assert add_index(out.conn, PLACE, "division_code")
    assert not add_index(out.conn, PLACE, "division_code")
    defined = " ".join(row[0] for row in out.conn.execute(indexes).fetchall())
    assert "(division_code text_pattern_ops, name)" in defined
    for field in ("geometry", "nothing", 'x"; DROP'):
        with pytest.raises(IndexRefused):
            add_index(out.conn, PLACE, field)
    out.take(PLACE, places(30))
    out.take(PLACE, [one | {"division_code": "420103"} for one in places(10)], version=2)
    found = json.loads(out.get(PUBLIC, PLACE, "division_code=prefix:420103&count=exact", purpose=None).body)
    assert found["count"]["value"] == 10


def test_a_text_too_long_for_an_index_leaves_none_behind(out: WayOut):
    out.take(PLACE, [places(1)[0] | {"division_code": long_text(bytes_min=3_000)}])
    with pytest.raises(IndexRefused):
        add_index(out.conn, PLACE, "division_code")
    left = "SELECT count(*) FROM pg_indexes WHERE tablename = '420000_place' AND indexdef LIKE '%division_code%'"
    assert out.conn.execute(left).fetchone() == (0,)


# Every type in every form --------------------------------------------------------------------------------------------

TYPES: dict[str, Any] = {
    "code": "string",
    "small": "int",
    "big": "long",
    "share": "float",
    "rate": "double",
    "alive": "boolean",
    "raw": "bytes",
    "day": {"type": "int", "logicalType": "date"},
    "amount": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    "at": {"type": "long", "logicalType": "local-timestamp-micros"},
    "names": {"type": "array", "items": ["null", "string"]},
    "rates": {"type": "array", "items": ["null", "double"]},
    "position": "bytes",
}
FULL = {
    "code": '引,"1"',
    "small": -(2**31),
    "big": 2**63 - 1,
    "share": 0.1,
    "rate": 1e-7,
    "alive": True,
    "raw": b"\x00\xff",
    "day": date(2000, 2, 29),
    "amount": Decimal("-1234567890.10"),
    "at": datetime(2026, 1, 1, 8, 30, 0, 5),  # noqa: DTZ001 - local by contract
    "names": ["a", None, 'b"'],
    "rates": [1.5, float("nan"), float("-inf")],
    "position": "SRID=4490;POINT(114.3 30.5)",
}
NOTHING = dict.fromkeys(TYPES) | {"code": "空", "rate": float("nan"), "share": float("inf"), "names": []}


@pytest.fixture
def page(database_url: str) -> Iterator[Callable[[str], Any]]:
    """Makes the page of the two rows in a format, all fields clear."""
    with connect(database_url, "test", autocommit=True) as conn:
        dataset, resource = every_type(conn)
        columns = ", ".join(FULL)
        for row in (FULL, NOTHING):
            conn.execute(
                f'INSERT INTO data."{dataset.table_name}" ({columns}, _version, _row, _deleted, _taken, _receipt)'  # pyright: ignore[reportArgumentType]  # noqa: S608 - of this test
                f" VALUES ({', '.join(['%s'] * len(FULL))}, 1, 0, false, now(), 1)",
                [row[name] for name in FULL],
            )
        planner = Planner(KeysInMemory(), SoftwareProvider())
        fields = {name: Treated("clear", label.kind, "field.level") for name, label in resource.fields.items()}
        decision = Decision(True, dataset.id, 1, "tier", None, None, "api", fields, None, Quota(), (), "")
        decided = Decided(decision, resource, 1, None)

        def make(name: str) -> bytes:
            ask = Ask(dataset.id, Asked("api"), Wanted(), format=next(one for one in FORMATS if one.name == name))
            now = datetime.now().astimezone()
            plan = planner.plan(PUBLIC, ask, decided, now, lambda asked: asked)
            made: Page = plan.page(fetch(conn, plan), None)
            return body_bytes(made, ask, None)

        yield make


def every_type(conn: Connection) -> tuple[Dataset, Resource]:
    from catalog.organization import Organization
    from catalog.store import add_organization

    with conn.transaction():
        add_organization(conn, Organization("tong-ji", "统计局", "Statistics", "province", "420000"))
        contract = json.loads(contract_text(TYPES, name="every_type", geometry=("position",)))
        contract["fields"][-1]["hub"]["checks"] = [{"check": "geometry", "types": ["Point"]}]
        register_contract(conn, json.dumps(contract))
        register_dataset(conn, "420000.every_type", "every_type", "tong-ji")
    dataset = find_dataset(conn, "420000.every_type")
    assert dataset is not None
    contract = contract_of(conn, dataset)
    labels = {one.name: FieldLabel(one.type, 1, "other") for one in contract.fields}
    return dataset, Resource(
        dataset.id, "tong-ji", "theme", 1, True, "unconditional", "unconditional", labels, ("code",)
    )


def test_json_holds_every_type_and_no_number_that_is_none(page: Callable[[str], bytes]):
    full, nothing = json.loads(page("json"))["records"]
    assert full["code"] == FULL["code"]
    assert (full["small"], full["big"], full["share"], full["rate"]) == (-(2**31), 2**63 - 1, 0.1, 1e-7)
    assert (full["alive"], full["raw"], full["day"]) == (True, "00ff", "2000-02-29")
    assert full["at"] == "2026-01-01T08:30:00.000005"
    assert full["names"] == ["a", None, 'b"']
    assert full["rates"] == [1.5, None, None]
    assert full["position"] == {"type": "Point", "coordinates": [114.3, 30.5]}
    assert b'"amount":-1234567890.10' in page("json")
    assert (nothing["rate"], nothing["share"], nothing["names"], nothing["rates"]) == (None, None, [], None)
    assert [json.loads(line) for line in page("ndjson").splitlines()] == [full, nothing]


def test_geojson_has_longitude_first_and_no_other_reference_system(page: Callable[[str], bytes]):
    collection = json.loads(page("geojson"))
    assert collection["type"] == "FeatureCollection"
    first, second = collection["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [114.3, 30.5]}
    assert first["properties"]["code"] == FULL["code"]
    assert "position" not in first["properties"]
    assert second["geometry"] is None


def test_csv_holds_the_text_form(page: Callable[[str], bytes]):
    header, full, nothing = csv.reader(io.StringIO(page("csv").decode(), newline=""))
    first, second = dict(zip(header, full, strict=True)), dict(zip(header, nothing, strict=True))
    assert first["code"] == FULL["code"]
    assert (first["amount"], first["at"]) == ("-1234567890.10", "2026-01-01T08:30:00.000005")
    assert (first["raw"], first["alive"], first["day"]) == ("00ff", "true", "2000-02-29")
    assert first["position"] == "POINT(114.3 30.5)"
    assert json.loads(first["names"]) == ["a", None, 'b"']
    assert (second["rate"], second["small"]) == ("NaN", "")


@pytest.mark.parametrize("name", ["parquet", "avro"])
def test_parquet_and_avro_hold_values(page: Callable[[str], bytes], name: str):
    content = io.BytesIO(page(name))
    rows: Any = pq.read_table(content).to_pylist() if name == "parquet" else list(fastavro.reader(content))
    full, nothing = rows
    for field in ("code", "small", "big", "rate", "alive", "raw", "day", "amount", "names"):
        assert full[field] == FULL[field], field
    assert full["at"].replace(tzinfo=None) == FULL["at"]
    assert full["position"][5:9] == (4490).to_bytes(4, "little")
    assert (nothing["small"], nothing["position"], nothing["names"]) == (None, None, [])
    assert nothing["rate"] != nothing["rate"]


def test_postgresql_and_python_make_the_same_reference(database_url: str):
    keys = KeysInMemory()
    caller = Caller("organization:ren-she", "ren-she", tier="department")
    with way_out(database_url, RESIDENT) as out:
        out.take(RESIDENT, residents(5))
        out.grant()
        found = json.loads(out.get(caller, RESIDENT, "count=none").body)["records"]
    holder = ReferenceKeys(
        keys.derive(f"reference-mac:{RESIDENT}:ren-she"), keys.derive(f"reference:{RESIDENT}:ren-she", 16)
    )
    assert [one["_ref"] for one in found] == [make_opaque([one["id_number"]], holder) for one in residents(5)]
