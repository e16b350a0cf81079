"""A pre-declared aggregate: which persons' counts of a dataset may be published, along fixed hierarchies.

A definition is data. It names a region depth and a line of dimensions, and nothing else: no predicate, no measure but
the number of persons. The line is a line of *details*, each dividing the one before::

    all persons → sex → sex × life stage → sex × fifteen years of age → sex × five years of age

For each region a release states the details of the line from the first to some last, each whole or not at all
(``disclosure`` says why). Security rules: open tier, rule 1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Literal, cast, get_args

import rfc8785

from catalog.aggregate_errors import AggregateOverlaps, AggregateWrong
from catalog.hierarchy import REGION_DIGITS, Kind, levels_of, node_at, nodes_of
from schemas.batch import sm3_hex
from schemas.contract import Contract, Field

Role = Literal["identifying", "attribute", "sensitive"]
Cell = tuple[str, ...]  # a node for each dimension of a detail, in its order
Step = tuple[str, str]  # field, level

K_LEAST: Final = 10  # persons in a cell
K_LEAST_SENSITIVE: Final = 20
K_MOST: Final = 10_000
SENSITIVE_LEVEL: Final = 3  # of field level: code lists from here on are sensitive
CELLS_MAX: Final = 2_000  # of the finest detail, in one region
DIMENSIONS_MAX: Final = 4
TITLE_CHARACTERS_MAX: Final = 200
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MEMBERS: Final = frozenset({"dataset", "aggregate", "title", "k", "region", "dimensions"})


@dataclass(frozen=True, slots=True)
class Dimension:
    """A field along some levels of its hierarchy.

    Args:
        field: of the contract.
        kind: age in bands, or a code list in groups.
        code_list: of a code list.
        levels: coarse to fine.
        role: ``identifying`` is what others know of a person; ``attribute`` what they may not learn; ``sensitive`` an
            attribute that takes the higher threshold.
    """

    field: str
    kind: Kind
    code_list: str | None
    levels: tuple[str, ...]
    role: Role


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One definition; valid when made by ``aggregate_from_json``.

    Args:
        dataset: id.
        name: unique in the dataset.
        title_zh: Chinese title.
        title_en: English title.
        k: the fewest persons in a published cell, or in what is left between two published sets.
        region_field: the field that holds a division code; None where the table has no regions.
        region_digits: of the smallest region.
        dimensions: in the order in which they divide.
    """

    dataset: str
    name: str
    title_zh: str
    title_en: str
    k: int
    region_field: str | None
    region_digits: int
    dimensions: tuple[Dimension, ...]

    @property
    def id(self) -> str:
        """``420000.resident/age_and_sex``."""
        return f"{self.dataset}/{self.name}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What divides, in order."""
        return tuple((one.field, level) for one in self.dimensions for level in one.levels)

    @property
    def details(self) -> tuple[tuple[Step, ...], ...]:
        """The line of details; of each field the finest level so far."""
        line: list[dict[str, str]] = [{}]
        for field, level in self.steps:
            line.append(line[-1] | {field: level})
        return tuple(tuple(one.items()) for one in line)

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that is read, the region's first."""
        own = tuple(one.field for one in self.dimensions)
        return own if self.region_field is None else (self.region_field, *own)

    def dimension(self, field: str) -> Dimension:
        """The dimension of a field."""
        return next(one for one in self.dimensions if one.field == field)

    def cells(self, detail: int) -> tuple[Cell, ...]:
        """Every cell there can be of a detail, in order."""
        nodes = [nodes_of(d.kind, d.code_list, level) for d, level in self._at(detail)]
        return tuple(product(*nodes))

    def cell_of(self, detail: int, leaves: Sequence[str]) -> Cell:
        """The cell a person's leaves (one for each dimension) fall in."""
        of_field = dict(zip((one.field for one in self.dimensions), leaves, strict=True))
        return tuple(node_at(d.kind, d.code_list, level, of_field[d.field]) for d, level in self._at(detail))

    def attribute_places(self, detail: int) -> tuple[int, ...]:
        """Where in a cell of this detail stand attributes that a group must not all share."""
        return tuple(place for place, (one, _) in enumerate(self._at(detail)) if one.role != "identifying")

    def _at(self, detail: int) -> list[tuple[Dimension, str]]:
        return [(self.dimension(field), level) for field, level in self.details[detail]]


def detail_id(detail: Sequence[Step]) -> str:
    """How the release ledger names a detail: ``sex:code,birth_date:five_year``; ``all`` is the first of every line."""
    return ",".join(f"{field}:{level}" for field, level in detail) or "all"


def require_apart(aggregate: Aggregate, others: Sequence[Aggregate]) -> None:
    """Two aggregates of a dataset have the same regions, and share the beginning of their lines and no field beyond it.

    Then what both publish is known on its own, and beyond it their dimensions are free against each other: persons can
    change places in one without being seen in the other. Three margins that cross (a×b, b×c, a×c) can determine a×b×c.

    Raises:
        AggregateOverlaps: naming the other.
    """
    for other in others:
        changed = other.name == aggregate.name and other.steps != aggregate.steps
        if changed or other.region_field != aggregate.region_field:
            raise AggregateOverlaps(aggregate=aggregate.id, other=other.id)
        if other.name == aggregate.name:
            continue
        alike = 0
        for one, another in zip(aggregate.steps, other.steps, strict=False):
            if one != another:
                break
            alike += 1
        beyond = {field for field, _ in aggregate.steps[alike:]}
        if beyond & {field for field, _ in other.steps[alike:]}:
            raise AggregateOverlaps(aggregate=aggregate.id, other=other.id)


# Reading and writing -------------------------------------------------------------------------------------------------


def aggregate_to_json(aggregate: Aggregate) -> dict[str, Any]:
    """A definition as it is written; the inverse of ``aggregate_from_json``."""
    return {
        "dataset": aggregate.dataset,
        "aggregate": aggregate.name,
        "title": {"zh": aggregate.title_zh, "en": aggregate.title_en},
        "k": aggregate.k,
        "region": None
        if aggregate.region_field is None
        else {"field": aggregate.region_field, "digits": aggregate.region_digits},
        "dimensions": [
            {"field": one.field, "levels": list(one.levels), "role": one.role} for one in aggregate.dimensions
        ],
    }


def canonical_definition(aggregate: Aggregate) -> str:
    """RFC 8785 JSON of a definition."""
    return rfc8785.dumps(aggregate_to_json(aggregate)).decode()


def definition_digest(aggregate: Aggregate) -> str:
    """SM3 of the canonical definition, hexadecimal."""
    return sm3_hex(canonical_definition(aggregate).encode())


def aggregate_from_json(given: object, contract: Contract) -> Aggregate:
    """Read a definition and hold it against the dataset's contract.

    Raises:
        AggregateWrong: a member breaks its rule; any member of another name too, so that there are no predicates.
    """
    members = _object("definition", given, _MEMBERS)
    _require_persons(contract)
    title = _object("title", members.get("title"), frozenset({"zh", "en"}))
    listed = members.get("dimensions")
    if not isinstance(listed, list) or not 0 < len(listed) <= DIMENSIONS_MAX:
        raise _wrong("dimensions", f"应有 1 至 {DIMENSIONS_MAX} 个维度", f"there are 1 to {DIMENSIONS_MAX} of them")
    dimensions = tuple(_dimension(f"dimensions[{place}]", one, contract) for place, one in enumerate(listed))
    region_field, digits = _region(members.get("region"), contract)
    made = Aggregate(
        dataset=_text("dataset", members.get("dataset")),
        name=_text("aggregate", members.get("aggregate")),
        title_zh=_text("title.zh", title.get("zh")),
        title_en=_text("title.en", title.get("en")),
        k=_k(members.get("k", K_LEAST), dimensions),
        region_field=region_field,
        region_digits=digits,
        dimensions=dimensions,
    )
    if not _NAME.fullmatch(made.name):
        raise _wrong("aggregate", f"应形如 {_NAME.pattern}", f"it must match {_NAME.pattern}")
    if len(set(made.fields)) != len(made.fields):
        raise _wrong("dimensions", "字段不得重复", "no field stands twice")
    if len(made.cells(len(made.steps))) > CELLS_MAX:
        raise _wrong("dimensions", f"单元格超过 {CELLS_MAX}", f"there are more than {CELLS_MAX} cells")
    return made


def _require_persons(contract: Contract) -> None:
    """A count of records is a count of persons only where each person has one record."""
    persons = [one for one in contract.entities if one.kind == "person"]
    if len(persons) != 1 or set(persons[0].fields) != set(contract.key):
        raise _wrong(
            "dataset", "每条记录须为一人,且以其为主键", "each record must be one person, by the contract's key"
        )


def _dimension(where: str, given: object, contract: Contract) -> Dimension:
    members = _object(where, given, frozenset({"field", "levels", "role"}))
    field = _field(where, members.get("field"), contract)
    role = members.get("role")
    if role not in get_args(Role):
        raise _wrong(f"{where}.role", "应为 identifying、attribute 或 sensitive", "identifying, attribute or sensitive")
    kind = _kind(where, field)
    if kind == "code" and (field.level or 0) >= SENSITIVE_LEVEL and role != "sensitive":
        raise _wrong(f"{where}.role", "该字段的分级要求 sensitive", "the field's level makes it sensitive")
    if kind == "age" and role != "identifying":
        raise _wrong(f"{where}.role", "年龄应为 identifying", "age is identifying")
    known = levels_of(kind, field.code_list)
    levels = members.get("levels")
    if not isinstance(levels, list) or not levels or [one for one in known if one in levels] != levels:
        listed = ", ".join(known)
        raise _wrong(f"{where}.levels", f"应依次取自 {listed}", f"some of {listed}, in this order")
    return Dimension(field.name, kind, field.code_list, tuple(levels), cast("Role", role))


def _kind(where: str, field: Field) -> Kind:
    if field.type.kind == "date":
        return "age"
    if field.type.kind == "string" and field.code_list is not None and field.code_list != "divisions":
        return "code"
    raise _wrong(
        f"{where}.field", "只能是日期或有代码表的字段", "only a date or a field with a code list divides persons"
    )


def _region(given: object, contract: Contract) -> tuple[str | None, int]:
    if given is None:
        return None, 0
    members = _object("region", given, frozenset({"field", "digits"}))
    field = _field("region", members.get("field"), contract)
    if not any(check.kind == "division" for check in field.checks):
        raise _wrong("region.field", "该字段不是区划代码", "the field holds no division code")
    digits = members.get("digits")
    if type(digits) is not int or digits not in REGION_DIGITS:
        raise _wrong("region.digits", "应为 2、4 或 6", "2, 4 or 6")
    return field.name, digits


def _field(where: str, name: object, contract: Contract) -> Field:
    found = next((one for one in contract.fields if one.name == name), None)
    if found is None:
        raise _wrong(f"{where}.field", "契约中没有此字段", "the contract has no such field")
    if found.level is None:
        raise _wrong(f"{where}.field", "该字段尚未分级", "the field has no level")
    return found


def _k(given: object, dimensions: Sequence[Dimension]) -> int:
    least = K_LEAST_SENSITIVE if any(one.role == "sensitive" for one in dimensions) else K_LEAST
    if type(given) is not int or not least <= given <= K_MOST:
        raise _wrong("k", f"应为 {least} 至 {K_MOST} 的整数", f"a whole number from {least} to {K_MOST}")
    return given


def _object(where: str, given: object, known: frozenset[str]) -> Mapping[str, Any]:
    listed = ", ".join(sorted(known))
    if not isinstance(given, dict) or not given.keys() <= known:
        raise _wrong(
            where, f"只能有成员 {listed};不接受筛选条件", f"its members are {listed}; conditions are not taken"
        )
    return cast("Mapping[str, Any]", given)


def _text(where: str, given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given.strip()) <= TITLE_CHARACTERS_MAX or not given.isprintable():
        raise _wrong(where, f"应为 1 至 {TITLE_CHARACTERS_MAX} 字", f"a text of 1 to {TITLE_CHARACTERS_MAX} characters")
    return given


def _wrong(where: str, zh: str, en: str) -> AggregateWrong:
    return AggregateWrong(where=where, rule_zh=zh, rule_en=en)
