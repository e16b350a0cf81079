"""The dataset the way out is measured on: a million points with a contract, an entry and a department's grant."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench_hub import BenchHub
from psycopg import Connection

from seeds.demo_accounts import ADMINISTRATOR, REVIEWER, Accounts, Memory, Person, Session

DATASET: Final = "420000.point"
TABLE: Final = "420000_point"
OWNER, READER = "ce-hui", "min-zheng"
STEWARD = Person("steward-ce-hui", "测绘数据管理员", ("steward",), OWNER)
PURPOSE: Final = "设施核对"
KINDS: Final = 100
LEFT_OUT: Final = tuple(f"k{kind:02}" for kind in range(0, KINDS, 10))  # by the row filter: a tenth
_CHECKS: Final[Mapping[str, list[dict[str, Any]]]] = {
    "code": [{"check": "required"}],
    "position": [{"check": "geometry", "types": ["Point"]}, {"check": "extent", "box": [108.3, 29.0, 116.2, 33.35]}],
}
_TITLES: Final = {
    "code": ("编码", "code"),
    "name": ("名称", "name"),
    "kind": ("类别", "kind"),
    "region": ("区划", "region"),
    "phone": ("电话", "telephone"),
    "capacity": ("容量", "capacity"),
    "opened_on": ("启用日期", "opened on"),
    "position": ("位置", "position"),
}


def contract() -> str:
    """The contract as its JSON text."""
    types: dict[str, Any] = {
        "capacity": "int",
        "opened_on": {"type": "int", "logicalType": "date"},
        "position": "bytes",
    }
    national = {"capacity": "I", "opened_on": "D", "position": "G"}
    levels = {"phone": 3, "name": 2}
    fields = []
    for name, (zh, en) in _TITLES.items():
        hub: dict[str, Any] = {
            "title": {"zh": zh, "en": en},
            "type": national.get(name, "C"),
            "level": levels.get(name, 1),
            "checks": _CHECKS.get(name, []),
        }
        hub |= {"geometry": True} if name == "position" else {}
        fields.append({"name": name, "type": ["null", types.get(name, "string")], "hub": hub})
    hub = {"version": 1, "base": "geospatial", "title": {"zh": "点", "en": "points"}, "key": ["code"], "checks": []}
    return json.dumps({"type": "record", "name": "point", "fields": fields, "hub": hub}, ensure_ascii=False)


def register(hub: BenchHub) -> Mapping[str, str]:
    """Organizations, contract and dataset; the organizations' tokens."""
    file = hub.folder / "point.avsc"
    file.write_text(contract(), encoding="utf-8")
    tokens = {}
    for organization in (OWNER, READER):
        names = ("--name-zh", organization, "--name-en", organization)
        tokens[organization] = json.loads(hub.run("organization", "add", organization, *names, "--json"))["token"]
    hub.run("contract", "register", str(file))
    hub.run("dataset", "add", DATASET, "--contract", "point", "--organization", OWNER)
    return tokens


def fill(conn: Connection, points: int) -> None:
    """A million points over the province, straight into the table: what is measured is reading."""
    conn.execute(
        f"""INSERT INTO data."{TABLE}" (code, name, kind, region, phone, capacity, opened_on, position,
                _version, _row, _deleted, _taken, _receipt)
            SELECT 'P' || lpad(n::text, 8, '0'), '设施' || n, 'k' || lpad((n * 7919 %% {KINDS})::text, 2, '0'),
                '42' || lpad((n * 104729 %% 17 * 100 + n %% 13)::text, 4, '0'),
                '138' || lpad((n * 31 %% 100000000)::text, 8, '0'),
                n %% 5000, date '2000-01-01' + (n %% 9000)::int,
                ST_SetSRID(ST_MakePoint(108.4 + (n * 48271 %% 1000003) / 1000003.0 * 7.7,
                                        29.1 + (n * 69621 %% 999983) / 999983.0 * 4.2), 4490),
                n, 0, false, now(), 0
            FROM generate_series(1, %s::bigint) n""",  # pyright: ignore[reportArgumentType] - our own constants  # noqa: S608 - our own constants
        [points],
    )
    conn.execute("UPDATE dataset_statistics SET records = %s WHERE dataset = %s", [points, DATASET])


def publish_and_grant(hub: BenchHub, tokens: Mapping[str, str]) -> tuple[str, Accounts]:
    """An entry in force and a grant with a row filter and a masked field; the grant's id and the accounts."""
    accounts = Accounts(hub.url, Memory(hub.folder / "accounts.json"), hub.environment, (REVIEWER, STEWARD))
    accounts.prepare()
    steward, path = accounts.session(STEWARD), f"/v1/catalog/entries/{DATASET}"
    version = steward.post(f"{path}/draft", _entry())
    named = {"version": version["version"], "sm3": version["sm3"]}
    steward.post(f"{path}/submit", named)
    reviewer = accounts.session(REVIEWER)
    reviewer.post(f"{path}/secrecy-review", named | {"passed": True, "opinion": "可以", "impact": "已评估"})
    reviewer.post(f"{path}/review", named)
    accounts.session(ADMINISTRATOR).post(f"{path}/publish", named)
    request = Session(hub.url, tokens[READER]).post("/v1/requests", _request(), expect=201)
    steward.post(f"/v1/requests/{request['id']}/acceptance", {"consent": "1号"})
    proposal = steward.post("/v1/grants/proposals", {"request": request["id"]}, expect=201)
    given = accounts.session(ADMINISTRATOR).post(
        f"/v1/grants/proposals/{proposal['id']}/approval", {"digest": proposal["digest"]}
    )
    return str(given["id"]), accounts


def _entry() -> dict[str, Any]:
    kinds = {"name": "text", "phone": "phone", "capacity": "number", "opened_on": "date", "position": "geometry"}
    levels = {"phone": 3, "name": 2}
    return {
        "code": "103001/9",
        "provider_code": "11420000DEM000030L",
        "name": {"zh": "设施点", "en": "Points"},
        "abstract": {"zh": "测量用的点。", "en": "Points to measure with."},
        "format": 3,
        "labels": {name: {"level": levels.get(name, 1), "kind": kinds.get(name, "code")} for name in _TITLES},
        "share": {"type": "conditional", "scope": "政府部门", "uses": PURPOSE, "conditions": "最小必要"},
        "open": {"type": "not_open", "reason": "测量用"},
        "methods": ["api", "file"],
        "update_cycle": "daily",
        "theme": "自然资源和空间地理",
    }


def _request() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "dataset": DATASET,
        "basis": "《某条例》",
        "scenario": PURPOSE,
        "fields": {name: "masked" if name == "phone" else "clear" for name in _TITLES},
        "rows": {"not": {"field": "kind", "in": list(LEFT_OUT)}},
        "methods": ["api", "file"],
        "valid_from": now.isoformat(),
        "valid_until": (now + timedelta(days=90)).isoformat(),
        "consent": "7号",
    }
