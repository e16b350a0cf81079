"""Resources, grants, callers and row conditions for tests, the random ones as hypothesis strategies or from a seed."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from catalog.caller import Caller, Tier
from catalog.condition import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Known,
    Not,
    OneOf,
    Operator,
    StartsWith,
    Within,
    as_real,
)
from catalog.decision import Asked, Decision, decide
from catalog.grant import Grant, Method, Quota, Treatment
from catalog.resource import FieldKind, FieldLabel, FieldLevel, Open, Resource, Share
from catalog.tier import DEFAULT_TIERS
from schemas.contract import FieldType, Kind

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
DATASET = "420000.resident"
OWNER = "gong-an"
DEPARTMENT = Caller("organization:min-zheng", "min-zheng", tier="department")

# One field of every type and kind that a release treats differently.
FIELDS: dict[str, tuple[FieldType, FieldKind]] = {
    "row": (FieldType("long"), "other"),
    "id_number": (FieldType("string"), "citizen_id"),
    "name": (FieldType("string"), "name"),
    "phone": (FieldType("string"), "phone"),
    "address": (FieldType("string"), "address"),
    "card": (FieldType("string"), "bank_card"),
    "email": (FieldType("string"), "email"),
    "credit_code": (FieldType("string"), "credit_code"),
    "division": (FieldType("string"), "code"),
    "remark": (FieldType("string"), "text"),
    "birth": (FieldType("date"), "date"),
    "updated": (FieldType("timestamp_micros"), "date"),
    "small": (FieldType("int"), "number"),
    "big": (FieldType("long"), "number"),
    "share": (FieldType("float"), "number"),
    "rate": (FieldType("double"), "number"),
    "amount": (FieldType("decimal", precision=12, scale=2), "number"),
    "alive": (FieldType("boolean"), "other"),
}
TYPES = {name: of for name, (of, _) in FIELDS.items()}
TREATMENTS: tuple[Treatment, ...] = ("clear", "masked", "generalised", "pseudonymous", "withheld")
LEVELS: tuple[FieldLevel | None, ...] = (1, 2, 3, 4, "important", "core", None)
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")

_TEXTS = {
    "citizen_id": ["11010519491231002X", "440524188001010014", "3", "", "34"],
    "name": ["欧阳修", "欧阳", "张三", "李", "司马相如", "Smith", ""],
    "phone": ["13800138000", "02788888888", "110", ""],
    "address": ["湖北省武汉市江岸区某路1号", "武汉市", "某小区3栋", "恩施州利川市某镇", "北京市东城区长安街", ""],
    "bank_card": ["6222020200000000000", "1234", ""],
    "email": ["a.b@example.cn", "x", "@", ""],
    "credit_code": ["914403001922038216", "9144", ""],
    "code": ["420102", "42010", "420102001", "", "4"],
    "text": ["备注", "a", "", "Z\u4e00", "\U00020000字"],
}
_SPECIAL: dict[Kind, Sequence[Any]] = {
    "int": [0, 1, -1, 2**31 - 1, -(2**31), 95, 149],
    "long": [0, 7, -7, 2**63 - 1, -(2**63), 10**15],
    "float": [0.0, -0.0, 1.5, as_real(0.1), float("nan"), float("inf"), -2.5],
    "double": [0.0, 0.1, 9.99, -1e-7, float("nan"), float("-inf"), 123456.789],
    "boolean": [True, False],
    "date": [date(2000, 2, 29), date(1949, 10, 1), date(2026, 11, 25)],
    "timestamp_micros": [datetime(2026, 1, 1), datetime(2026, 11, 25, 8, 30, 0, 1)],  # noqa: DTZ001 - local timestamps
    "decimal": [Decimal("0.00"), Decimal("9.99"), Decimal("-500.00"), Decimal("9999999999.99"), Decimal("0.01")],
}


def value_of(dice: random.Random, name: str) -> Any:
    """A random value of a field, one in six of them missing."""
    of, kind = FIELDS[name]
    if dice.random() < 1 / 6:
        return None
    if of.kind == "string":
        return dice.choice(_TEXTS[kind])
    if of.kind == "decimal" and dice.random() < 0.5:
        return Decimal(dice.randrange(-(10**9), 10**9)).scaleb(-2)
    if of.kind in ("int", "long") and dice.random() < 0.5:
        return dice.randrange(-1000, 1000)
    if of.kind == "date" and dice.random() < 0.5:
        return date(1950, 1, 1) + timedelta(days=dice.randrange(30_000))
    return dice.choice(_SPECIAL[of.kind])


def known_value_of(dice: random.Random, name: str) -> Any:
    """A random value a condition may compare with: there, and a number."""
    while (value := value_of(dice, name)) is None or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        pass
    return value


def row_of(dice: random.Random, number: int) -> dict[str, Any]:
    """A random record."""
    return {name: number if name == "row" else value_of(dice, name) for name in FIELDS}


def condition_of(dice: random.Random, depth: int = 3) -> Condition:  # noqa: PLR0911 - one for each form
    """A random condition."""
    name = dice.choice([name for name in FIELDS if name != "row"])
    of = TYPES[name]
    roll = dice.random()
    if depth > 0 and roll < 0.5:
        parts = tuple(condition_of(dice, depth - 1) for _ in range(dice.randrange(0, 4)))
        return dice.choice([AllOf(parts), AnyOf(parts), Not(condition_of(dice, depth - 1))])
    if roll < 0.6:
        return Known(name, dice.random() < 0.5)
    if of.kind == "boolean":
        return Compare(name, dice.choice(["=", "!="]), known_value_of(dice, name))
    if of.kind == "string" and roll < 0.7:
        return StartsWith(name, str(known_value_of(dice, name))[: dice.randrange(0, 5)])
    if roll < 0.8:
        return OneOf(name, tuple(known_value_of(dice, name) for _ in range(dice.randrange(1, 4))))
    if roll < 0.9:
        ends = [known_value_of(dice, name) if dice.random() < 0.7 else None for _ in range(2)]
        start = known_value_of(dice, name) if ends == [None, None] else ends[0]
        return Within(name, start, ends[1])
    return Compare(name, dice.choice(OPERATORS), known_value_of(dice, name))


def resource(
    levels: dict[str, FieldLevel | None] | None = None,
    *,
    base: str = "legal_person",
    entry_version: int | None = 1,
    secrecy_passed: bool = True,
    share: Share | None = "conditional",
    opened: Open | None = "not_open",
) -> Resource:
    """A dataset of ``FIELDS``; every field of level 1 unless said otherwise."""
    labels = {name: FieldLabel(of, (levels or {}).get(name, 1), kind) for name, (of, kind) in FIELDS.items()}
    return Resource(DATASET, OWNER, base, entry_version, secrecy_passed, share, opened, labels, ("row",))


def grant(
    number: int = 1,
    *,
    holder: str = DEPARTMENT.id,
    fields: Mapping[str, Treatment] | None = None,
    laws: dict[str, str] | None = None,
    rows: Condition | None = None,
    purpose: str = "低保核对",
    methods: frozenset[Method] = frozenset({"api"}),
    state: Any = "active",
    valid_from: datetime = NOW - timedelta(days=1),
    valid_until: datetime = NOW + timedelta(days=1),
) -> Grant:
    """A grant that fits unless said otherwise."""
    return Grant(
        id=f"0190{number:04d}-0000-7000-8000-000000000000",
        kind="ordinary",
        holder=holder,
        dataset=DATASET,
        fields=dict.fromkeys(FIELDS, "clear") if fields is None else fields,
        laws=laws or {},
        rows=rows,
        purpose=purpose,
        basis="《社会救助暂行办法》",
        methods=methods,
        quota=Quota(requests=1_000),
        valid_from=valid_from,
        valid_until=valid_until,
        state=state,
        request=None,
    )


def person(tier: Tier, *, organization: str | None = None, roles: frozenset[Any] = frozenset()) -> Caller:
    """A caller of a tier."""
    return Caller("person:1", organization, roles, tier, person="1")


ASKED = Asked("api", purpose="低保核对")


def decided(
    caller: Caller, of: Resource, grants: list[Grant] | None = None, asked: Asked = ASKED, now: Any = NOW
) -> Decision:
    """The decision under the default tiers."""
    return decide(caller, of, grants or [], asked, DEFAULT_TIERS, now)


def random_case(dice: random.Random) -> tuple[Caller, Resource, list[Grant]]:
    """A caller, a dataset and some grants."""
    tier: Tier = dice.choice(get_args(Tier))
    caller = person(
        tier,
        organization=dice.choice([None, OWNER, "min-zheng"]),
        roles=frozenset(dice.sample(["steward", "developer", "administrator"], k=dice.randrange(0, 3))),
    )
    of = resource(
        {name: dice.choice(LEVELS) for name in FIELDS},
        base=dice.choice(["population", "legal_person"]),
        entry_version=dice.choice([1, 1, 1, None]),
        secrecy_passed=dice.random() < 0.9,
        share=dice.choice(["unconditional", "conditional", "not_shared", None]),
        opened=dice.choice(["unconditional", "conditional", "not_open", None]),
    )
    return caller, of, [random_grant(dice, number, caller) for number in range(dice.randrange(0, 4))]


def random_grant(dice: random.Random, number: int, caller: Caller) -> Grant:
    """A grant that may be the caller's and may fit."""
    return grant(
        number,
        holder=dice.choice([caller.id, "organization:min-zheng"]),
        fields={name: dice.choice(TREATMENTS) for name in dice.sample(list(FIELDS), k=8)},
        laws=dict.fromkeys(dice.sample(list(FIELDS), k=3), "《某法》"),
        rows=dice.choice([None, condition_of(dice)]),
        purpose=dice.choice(["低保核对", "其他"]),
        state=dice.choice(["active", "active", "suspended"]),
        valid_until=NOW + timedelta(days=dice.choice([-1, 1, 1])),
    )
