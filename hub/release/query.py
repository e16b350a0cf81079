"""Queries: what is asked for as it comes, and what of it stands once it is held against a decision.

A query may filter and sort by the fields its decision gives clear and by no other; any other is refused in the same
words as one that does not exist, or its values could be found out by asking. The order always ends with the key, so
that paging neither repeats nor leaves out a record.

The order by the key is there also where the key itself is not given: neighbours in a page are then neighbours by a
key nobody sees. Where that tells too much the grant should narrow the rows.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Literal, cast, get_args

from catalog.condition import Condition, fields_of
from catalog.condition_errors import ConditionWrong
from catalog.condition_json import condition_from_json, condition_to_json, sortable
from catalog.decision import Decision
from catalog.resource import CONFIDENTIAL_LEVEL, Resource
from hub.release.errors import FieldsInAddress, QueryWrong
from hub.release.grammar import filter_json
from schemas.contract import FieldType

Count = Literal["exact", "estimated", "none"]

LIMIT_DEFAULT: Final = 10
LIMIT_MAX: Final = 1_000
SORT_MAX: Final = 5
NAMES_MAX: Final = 200
CURSOR_CHARACTERS_MAX: Final = 8_000
NAME_CHARACTERS_TOLD: Final = 63  # no field's name is longer
_ATOM: Final = re.compile(r"\$\.all\[(\d+)\]")  # where in a condition the filters of an address stand
WEST, SOUTH, EAST, NORTH = -180.0, -90.0, 180.0, 90.0

# Parameters of an address that are no filters. A field of such a name is filtered by in a body.
RESERVED: Final = frozenset({"fields", "sort", "limit", "cursor", "count", "bbox", "as_of", "format", "for"})
# ``format`` and ``for`` say how the answer looks, and are read with it (``formats``).
MEMBERS: Final = frozenset({"filter", "fields", "sort", "limit", "cursor", "count", "bbox", "as_of"})


@dataclass(frozen=True, slots=True)
class Order:
    """One field of the order."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """Longitude and latitude in degrees, EPSG:4490; records whose geometry touches it."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query as it came, not yet held against a decision.

    Args:
        filters: of an address: name and text.
        filter: of a body: a condition's JSON.
        box: where.
        fields: names to give; None for all that are given.
        sort: before the key.
        limit: most records of a page.
        cursor: of the page before.
        count: how matches are counted.
        as_of: the moment; None for now.
        in_address: whether it came in an address, where no personal data may stand.
    """

    filters: tuple[tuple[str, str], ...] = ()
    filter: object | None = None
    box: Box | None = None
    fields: tuple[str, ...] | None = None
    sort: tuple[Order, ...] = ()
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None
    count: Count = "estimated"
    as_of: datetime | None = None
    in_address: bool = False


@dataclass(frozen=True)  # without slots: the digest is made when it is needed
class Query:
    """What may be asked of a dataset under a decision.

    Args:
        condition: of the query alone; the decision has its own.
        box: with the field it speaks of.
        fields: to give, in the contract's order.
        order: ends with the key.
        dataset: id.
    """

    condition: Condition | None
    box: tuple[str, Box] | None
    fields: tuple[str, ...]
    order: tuple[Order, ...]
    dataset: str

    @cached_property
    def digest(self) -> str:
        """Of what a cursor must agree with: dataset, condition, box and order."""
        return hashlib.new("sm3", encoded([self.dataset, self.to_json() | {"fields": None}])).hexdigest()

    @cached_property
    def text(self) -> str:
        """``to_json`` as text."""
        return _ENCODER.encode(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """For the trail."""
        return {
            "filter": None if self.condition is None else condition_to_json(self.condition),
            "bbox": None if self.box is None else [self.box[0], *_numbers_of(self.box[1])],
            "fields": list(self.fields),
            "order": [f"-{one.field}" if one.descending else one.field for one in self.order],
        }


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # json.dumps makes one at each call


def encoded(value: object) -> bytes:
    """JSON in UTF-8, lone surrogates and all: for digests."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


# Reading -------------------------------------------------------------------------------------------------------------


def wanted_from_address(parameters: Sequence[tuple[str, str]]) -> Wanted:
    """Read the parameters of an address; those that are not reserved are filters.

    Raises:
        QueryWrong: naming the parameter.
    """
    given: dict[str, str] = {}
    filters: list[tuple[str, str]] = []
    for name, text in parameters:
        if name not in RESERVED:
            filters.append((name, text))
        elif name in given:
            raise QueryWrong(name, "只能给出一次", "it may be given once")
        else:
            given[name] = text
    return Wanted(
        filters=tuple(filters),
        box=_box([_number(text) for text in given["bbox"].split(",")]) if "bbox" in given else None,
        fields=_names(given["fields"].split(","), "fields") if "fields" in given else None,
        sort=_order(given["sort"].split(",")) if "sort" in given else (),
        limit=_limit(_whole(given["limit"])) if "limit" in given else LIMIT_DEFAULT,
        cursor=_cursor(given.get("cursor")),
        count=_count(given.get("count", "estimated")),
        as_of=_instant(given.get("as_of")),
        in_address=True,
    )


def wanted_from_body(value: object) -> Wanted:
    """Read the JSON body of a query.

    Raises:
        QueryWrong: naming the member.
    """
    if not isinstance(value, dict):
        raise QueryWrong("$", "应为 JSON 对象", "it must be a JSON object")
    body = cast("Mapping[str, object]", value)
    unknown = body.keys() - MEMBERS
    if unknown:
        known = ", ".join(sorted(MEMBERS))
        raise QueryWrong("$", f"成员应为 {known}", f"its members are {known}")
    return Wanted(
        filter=body.get("filter"),
        box=_box(_list(body["bbox"], "bbox")) if "bbox" in body else None,
        fields=_names(_list(body["fields"], "fields"), "fields") if "fields" in body else None,
        sort=_order(_list(body["sort"], "sort")) if "sort" in body else (),
        limit=_limit(body.get("limit", LIMIT_DEFAULT)),
        cursor=_cursor(body.get("cursor")),
        count=_count(body.get("count", "estimated")),
        as_of=_instant(body.get("as_of")),
    )


def _list(value: object, where: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise QueryWrong(where, "应为数组", "it must be an array")
    return cast("list[object]", value)


def _names(values: Sequence[object], where: str) -> tuple[str, ...]:
    names = tuple(value for value in values if isinstance(value, str) and value)
    if len(names) != len(values) or len(set(names)) != len(names) or not 0 < len(names) <= NAMES_MAX:
        raise QueryWrong(
            where, f"应为 1 至 {NAMES_MAX} 个不重复的数据项名称", f"1 to {NAMES_MAX} names of fields, each once"
        )
    return names


def _order(values: Sequence[object]) -> tuple[Order, ...]:
    names = _names(values, "sort")
    order = tuple(Order(name.removeprefix("-"), name.startswith("-")) for name in names)
    if len(order) > SORT_MAX or len({one.field for one in order}) != len(order):
        raise QueryWrong("sort", f"至多 {SORT_MAX} 个不重复的数据项", f"at most {SORT_MAX} fields, each once")
    return order


def _whole(text: str) -> int | str:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(LIMIT_MAX))
    return int(text) if digits else text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _limit(value: object) -> int:
    if type(value) is not int or not 1 <= value <= LIMIT_MAX:
        raise QueryWrong("limit", f"应为 1 至 {LIMIT_MAX} 的整数", f"a whole number from 1 to {LIMIT_MAX}")
    return value


def _cursor(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= CURSOR_CHARACTERS_MAX:
        raise QueryWrong("cursor", "应为上一页给出的游标", "it must be the cursor of the page before")
    return value


def _count(value: object) -> Count:
    if value not in get_args(Count):
        raise QueryWrong("count", "应为 exact、estimated 或 none", "it must be exact, estimated or none")
    return cast("Count", value)


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        # In an address a plus sign reads as a space.
        instant = datetime.fromisoformat(value.replace(" ", "+")) if isinstance(value, str) else None
        # The store takes offsets up to 15:59, Python's up to 23:59.
        in_utc = None if instant is None or instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the calendar's first and last hours are outside it in UTC
        in_utc = None
    if in_utc is None:
        raise QueryWrong(
            "as_of",
            "应为带时区的时间,如 2026-11-25T08:00:00+08:00",
            "a time with its offset, as in 2026-11-25T08:00:00+08:00",
        )
    return in_utc


def _box(values: Sequence[object]) -> Box:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) == len(numbers) == 4 and all(math.isfinite(number) for number in numbers):  # noqa: PLR2004 - the four sides
        west, south, east, north = numbers
        if WEST <= west <= east <= EAST and SOUTH <= south <= north <= NORTH:
            return Box(float(west), float(south), float(east), float(north))
    raise QueryWrong(
        "bbox",
        "应为 西,南,东,北 四个经纬度(度,EPSG:4490),西不大于东、南不大于北",
        "four numbers west,south,east,north in degrees (EPSG:4490), west not over east, south not over north",
    )


def _numbers_of(box: Box) -> list[float]:
    return [box.west, box.south, box.east, box.north]


# Holding against a decision ------------------------------------------------------------------------------------------


def query_of(wanted: Wanted, decision: Decision, resource: Resource) -> Query:
    """What stands of a query under a decision that allows.

    Raises:
        ConditionWrong, QueryWrong: it breaks the grammar, or names a field that is not clear or not there.
        FieldsInAddress: it would put a confidential field's value into an address.
    """
    clear_fields = decision.clear_fields
    clear = {name: label.type for name, label in resource.fields.items() if name in clear_fields}
    condition = _condition(wanted, clear)
    if wanted.in_address and condition is not None and resource.key_is_confidential:
        _keep_out_of_address(condition, resource)
    box = None if wanted.box is None else (_geometry_field(clear), wanted.box)
    own = tuple(one.field for one in wanted.sort)
    for name in own:
        if name not in clear or not sortable(clear[name]):
            raise QueryWrong("sort", "没有此数据项或不可用于排序", "no such field to sort by")
    order = (*wanted.sort, *(Order(name) for name in resource.key if name not in own))
    return Query(condition, box, _given_fields(wanted, decision), order, resource.dataset)


def _condition(wanted: Wanted, clear: Mapping[str, FieldType]) -> Condition | None:
    if wanted.filter is not None:
        return condition_from_json(wanted.filter, clear)
    given = filter_json(wanted.filters, clear)
    try:
        return None if given is None else condition_from_json(given, clear)
    except ConditionWrong as wrong:  # who wrote an address knows its parameters, and nothing of the JSON made of them
        number = _ATOM.match(wrong.where)
        where = wanted.filters[int(number[1])][0][:NAME_CHARACTERS_TOLD] if number else "?"
        raise ConditionWrong(where, wrong.rule_zh, wrong.rule_en) from None


def _given_fields(wanted: Wanted, decision: Decision) -> tuple[str, ...]:
    given = decision.given_fields
    if wanted.fields is None:
        return given
    if not set(wanted.fields) <= set(given):
        raise QueryWrong("fields", "没有此数据项", "no such field")
    return tuple(name for name in given if name in wanted.fields)


def _keep_out_of_address(condition: Condition, resource: Resource) -> None:
    levels = {name: resource.fields[name].level for name in fields_of(condition)}
    confidential = [name for name, level in levels.items() if not isinstance(level, int) or level >= CONFIDENTIAL_LEVEL]
    if confidential:
        raise FieldsInAddress(", ".join(sorted(confidential)), f"/v1/datasets/{resource.dataset}/query")


def _geometry_field(clear: Mapping[str, Any]) -> str:
    found = [name for name, of in clear.items() if of.kind == "geometry"]
    if not found:
        raise QueryWrong("bbox", "没有可按位置筛选的数据项", "there is no field to filter by position")
    return found[0]
