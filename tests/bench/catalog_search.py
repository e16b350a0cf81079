"""Search with many entries: a catalogue of generated entries, and how long a search page takes.

The way-out benchmark calls ``fill`` once and ``search_p95_ms`` over a connection; by itself the file does both on a
database it is given: ``python tests/bench/catalog_search.py postgresql://…`` with the hub's migrations applied.
"""

import json
import random
import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
from psycopg import Connection, sql

from catalog.dataset import Dataset
from catalog.entry import CYCLES, THEMES, Entry, Item, OpenTerms, ShareTerms
from catalog.entry_json import canonical, digest_of
from catalog.entry_store import EntryVersion
from catalog.listing_store import ListingRow, listing_row
from catalog.organization import Organization
from catalog.search import read_query
from catalog.search_store import Filters, search
from catalog.visibility import DEPARTMENTS, EVERYONE, OFFICES, Sight
from hub.exchange.registry_store import register_contract
from schemas import codelists
from schemas.contract import Contract, load_shipped

ENTRIES = 100_000
DRAWN = 2_000
_DATASET, _VERSION, _LISTING = (tuple(one.__slots__) for one in (Dataset, EntryVersion, ListingRow))
ORGANIZATIONS = 200
NOW = datetime(2026, 11, 25, tzinfo=UTC)
_COPIES = (
    (
        "INSERT INTO dataset (id, contract, contract_version, organization, title_zh, title_en, base, table_name)"
        " SELECT id || '_' || n, contract, contract_version, organization, title_zh, title_en, base,"
        " table_name || '_' || n"
        " FROM dataset CROSS JOIN generate_series(1, %(copies)s) n"
    ),
    (
        "INSERT INTO entry_version (dataset, version, state, content, sm3, created_at, changed_at, published_at)"
        " SELECT dataset || '_' || n, version, state, content, sm3, created_at, changed_at, published_at"
        " FROM entry_version CROSS JOIN generate_series(1, %(copies)s) n"
    ),
    (
        "INSERT INTO entry_listing (dataset, version, state, current, audience, organization, base, level, share, open,"
        " region, format, name_zh, name_en, title_zh, title_en, keywords, search, grams)"
        " SELECT dataset || '_' || n, version, state, current, audience, organization, base, level, share, open,"
        " region, format, name_zh || n, name_en, title_zh || n, title_en, keywords, search, grams"
        " FROM entry_listing CROSS JOIN generate_series(1, %(copies)s) n"
    ),
)
_SUBJECTS = (
    *("常住人口", "流动人口", "户籍", "婚姻登记", "社会保险", "医疗保险", "企业登记", "税务", "行政许可", "行政处罚"),
    *("不动产", "地名", "道路", "桥梁", "河流", "水质", "空气质量", "公交线路", "学校", "医院", "药店", "养老机构"),
    *(
        "就业",
        "招聘",
        "住房公积金",
        "低保",
        "残疾人",
        "退役军人",
        "食品经营",
        "特种设备",
        "安全生产",
        "消防",
        "地质灾害",
    ),
    *(
        "耕地",
        "林地",
        "农产品价格",
        "粮食库存",
        "电力",
        "燃气",
        "供水",
        "电子证照",
        "信用",
        "科技项目",
        "专利",
        "旅游景区",
    ),
)
_FORMS = ("信息", "登记信息", "统计", "名录", "台账", "监测数据", "办理结果", "目录", "基本信息", "年报")
_ENGLISH = ("registrations", "statistics", "directory", "monitoring", "results", "annual report", "basic information")
_ITEMS = ("编号", "名称", "类别", "状态", "办理日期", "区划代码", "数量", "金额", "联系人", "备注", "面积", "等级")
_QUERIES = (
    *("人口", "江岸", "江岸区", "江岸人口", "常住人口", "常住人囗", "企业登记", "水质监测", "学校", "空气", "统计"),
    *("婚姻登记信息", "江案区学校", "population", "statistics", "武汉 医院", "武汉市医院名录", "ＧＤＰ", "電子證照"),
    *("洪山区 公交线路", "耕地", "信用信息", "汉阳区低保办理结果", "没有这种东西", "monitorng", ""),
)  # fmt: skip


def fill(conn: Connection, entries: int = ENTRIES, seed: int = 20_260_101) -> None:
    """Generate so many published entries, with their organizations and datasets; commits nothing.

    As many as ``DRAWN`` are drawn and made as the hub makes them; the others are copies with numbers of their own, made
    in the database, whose content is that of the one they were copied from.
    """
    drawn = random.Random(seed)
    contract = next(one for one in load_shipped() if one.name == "institution")
    register_contract(conn, contract.source)
    organizations = _organizations(conn)
    made = [_made(number, drawn, contract, organizations) for number in range(min(entries, DRAWN))]
    conn.execute("DROP INDEX entry_listing_grams")
    for table, columns, one in (
        ("dataset", _DATASET, 0),
        ("entry_version", _VERSION, 1),
        ("entry_listing", _LISTING, 2),
    ):
        _copy(conn, table, columns, [[getattr(row[one], name) for name in columns] for row in made])
    for statement in _COPIES:
        conn.execute(statement, {"copies": (entries - 1) // DRAWN})
    conn.execute("INSERT INTO dataset_statistics (dataset, records) SELECT id, 1000 FROM dataset")
    conn.execute("CREATE INDEX entry_listing_grams ON entry_listing USING gin (grams) WITH (fastupdate = off)")


def search_p95_ms(conn: Connection, searches: int = 200, seed: int = 7) -> float:
    """The 95th percentile of a first page with its count, in ms, over queries and callers as they mix."""
    drawn = random.Random(seed)
    for query in _QUERIES:
        _timed(conn, query, Sight(OFFICES, None))
    times = [_timed(conn, *_asked(drawn)) for _ in range(searches)]
    return statistics.quantiles(times, n=20)[18]


def _asked(drawn: random.Random) -> tuple[str, Sight]:
    sights = (Sight(EVERYONE, None), Sight(DEPARTMENTS, "d-7"), Sight(OFFICES, None))
    return drawn.choice(_QUERIES), drawn.choice(sights)


def _timed(conn: Connection, text: str, sight: Sight, *, facets: bool = False) -> float:
    begun = time.perf_counter()
    search(conn, read_query(text), sight, Filters(), facets=facets)
    return (time.perf_counter() - begun) * 1000


def _organizations(conn: Connection) -> list[Organization]:
    counties = sorted(
        one for one in codelists.divisions() if len(one) == 6 and one.startswith("42") and not one.endswith("00")
    )
    made = [
        Organization(f"d-{number}", f"{codelists.divisions()[region].name}第{number}局", f"Bureau {number}", "county",
                     region) for number in range(ORGANIZATIONS) if (region := counties[number % len(counties)])
    ]  # fmt: skip
    _copy(conn, "organization", ("id", "name_zh", "name_en", "level", "region"),
          [[one.id, one.name_zh, one.name_en, one.level, one.region] for one in made])  # fmt: skip
    return made


def _made(
    number: int, drawn: random.Random, contract: Contract, organizations: list[Organization]
) -> tuple[Dataset, EntryVersion, ListingRow]:
    organization = drawn.choice(organizations)
    entry = _entry(number, drawn, contract, organization)
    base = drawn.choice(("population", "legal_person", "geospatial", "macro_economy"))
    table = f"420000_b{number}"
    dataset = Dataset(entry.dataset, contract.name, 1, organization.id, entry.name_zh, entry.name_en, base, table)
    content = canonical(entry, 1)
    version = EntryVersion(entry.dataset, 1, "published", content, digest_of(content), NOW, NOW, NOW)
    return dataset, version, listing_row(version, dataset, organization, passed=True, current=True)


def _entry(number: int, drawn: random.Random, contract: Contract, organization: Organization) -> Entry:
    place = codelists.divisions()[organization.region].name
    subject, form = drawn.choice(_SUBJECTS), drawn.choice(_FORMS)
    item = Item("school_code", "标识码", "code", "C", 1, "code")
    fields = contract.fields
    items = tuple(
        replace(item, name=one.name, title_zh=drawn.choice(_ITEMS), level=drawn.choice((1, 1, 1, 2, 3)))
        for one in fields
    )
    shared = drawn.random()
    conditional = ShareTerms("conditional", scope="省直部门", uses="履职")
    withheld = ShareTerms("not_shared", reason="依法保密", law="某法第十条")
    share = ShareTerms("unconditional") if shared < 0.5 else conditional if shared < 0.9 else withheld
    opened = OpenTerms("unconditional") if drawn.random() < 0.4 else OpenTerms("not_open")
    return Entry(
        dataset=f"420000.b{number}",
        class_code=f"3{drawn.randrange(100):02d}{drawn.randrange(1000):03d}",
        sequence=str(number + 1),
        provider=organization.id,
        provider_code="11420000DEM000049H",
        name_zh=f"{place}{subject}{form}{number % 977}",
        name_en=f"{drawn.choice(_ENGLISH)} no. {number}",
        abstract_zh=f"{place}{organization.name_zh}在履职中形成的{subject}{form},供各部门按需共享。第{number}号。",
        abstract_en=f"Made by the bureau in the course of its work, entry {number}.",
        format=drawn.choice((1, 2, 3, 4, 6, 7)),
        items=items,
        share=share,
        open=opened,
        methods=() if share.type == "not_shared" else ("api", "file"),
        update_cycle=drawn.choice(tuple(CYCLES)),  # pyright: ignore[reportArgumentType] - its keys
        related=(),
        keywords=(subject, place),
        theme=drawn.choice(THEMES),
        region=organization.region,
    )


def _copy(conn: Connection, table: str, columns: tuple[str, ...], rows: list[list[object]]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with conn.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            copying.write_row(row)


def main() -> None:
    """Fill what is empty, search, print one JSON object."""
    with psycopg.connect(sys.argv[1]) as conn:
        if conn.execute("SELECT 1 FROM entry_listing LIMIT 1").fetchone() is None:
            begun = time.perf_counter()
            fill(conn)
            conn.commit()
            conn.autocommit = True
            conn.execute("VACUUM ANALYZE entry_listing")
            conn.execute("VACUUM ANALYZE entry_version")
            print(f"filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        conn.autocommit = True
        for query in _QUERIES:
            plain = _timed(conn, query, Sight(DEPARTMENTS, "d-7"))
            plain = _timed(conn, query, Sight(DEPARTMENTS, "d-7"))
            faceted = _timed(conn, query, Sight(OFFICES, None), facets=True)
            found = search(conn, read_query(query), Sight(OFFICES, None), after=None)
            print(f"{query or '(all)':<16} {plain:7.1f} ms  with facets {faceted:7.1f} ms  {found.total} found"
                  f"{', relaxed' if found.relaxed else ''}", file=sys.stderr)  # fmt: skip
        print(json.dumps({"search_p95_ms": round(search_p95_ms(conn), 1)}))


if __name__ == "__main__":
    main()
