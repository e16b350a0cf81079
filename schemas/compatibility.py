"""Whether a version of a contract may follow another: by Avro's resolution, made stricter by what the tables need.

backward: records written under the old version can be read under the new. forward: the other way round. full: both.
Key, version field and the meaning of codes may never change: such a change is a new dataset that replaces the old.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.contract import Contract, Field, FieldType

Mode = Literal["backward", "forward", "full"]
# Avro's promotions, writer to reader.
_PROMOTIONS = frozenset({("int", "long"), ("int", "double"), ("float", "double")})


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One field and the rule its change breaks, in both languages."""

    field: str
    rule: str
    zh: str
    en: str


def problems(old: Contract, new: Contract, mode: Mode) -> list[Incompatibility]:
    """Everything that keeps ``new`` from following ``old``; empty where nothing does."""
    found = list(_identity(old, new))
    if mode in {"backward", "full"}:
        found += _reading(old, new, "backward")
    if mode in {"forward", "full"}:
        found += _reading(new, old, "forward")
    return found


def _identity(old: Contract, new: Contract) -> Iterator[Incompatibility]:
    if old.name != new.name:
        yield Incompatibility("-", "name", "合同名称不同", "it is another contract")
    if old.key != new.key:
        yield Incompatibility(
            ", ".join(old.key), "key", "主键不能改变,应另建数据资源", "the key cannot change; make a new dataset"
        )
    if old.version_field != new.version_field:
        yield Incompatibility(
            old.version_field or new.version_field or "-",
            "version_field",
            "版本字段不能改变",
            "the version field cannot change: old and new records could not be ordered",
        )
    for field in old.fields:
        if field.name not in new.field_names:
            yield Incompatibility(
                field.name,
                "removed",
                "字段不能删除,其数据仍在库中",
                "a field cannot be removed: the store holds its values",
            )
            continue
        other = new.field(field.name)
        if field.code_list is not None and other.code_list not in {field.code_list, None}:
            yield Incompatibility(
                field.name,
                "code_list",
                "代码表不能更换",
                "the code list cannot change: stored codes would change meaning",
            )
        if field.unit is not None and other.unit != field.unit:
            yield Incompatibility(
                field.name, "unit", "计量单位不能改变", "the unit cannot change: stored values would change meaning"
            )
        # The stored column keeps its type: a promotion on paper would not widen it.
        if not _same(field.type, other.type):
            yield Incompatibility(
                field.name,
                "type",
                f"类型不能由 {field.type.kind} 改为 {other.type.kind}",
                f"its type cannot change from {field.type.kind} to {other.type.kind}",
            )


def _reading(writer: Contract, reader: Contract, direction: str) -> Iterator[Incompatibility]:
    """Whether every record that was right under ``writer`` is right under ``reader``."""
    for field in reader.fields:
        if field.name not in writer.field_names:
            if field.required:
                yield Incompatibility(
                    field.name,
                    f"{direction}.required",
                    "新增字段不能必填,另一版本的记录没有它",
                    "it cannot be required: records of the other version lack it",
                )
            continue
        written = writer.field(field.name)
        if field.required and not written.required:
            yield Incompatibility(
                field.name,
                f"{direction}.required",
                "不能由可空改为必填",
                "it cannot become required: records of the other version may lack it",
            )
        if _reads(written, field):
            continue
        yield Incompatibility(
            field.name,
            f"{direction}.type",
            f"{written.type.kind} 不能读作 {field.type.kind}",
            f"{written.type.kind} cannot be read as {field.type.kind}",
        )


def _reads(written: Field, field: Field) -> bool:
    return _same(written.type, field.type) or (written.type.kind, field.type.kind) in _PROMOTIONS


def _same(one: FieldType, other: FieldType) -> bool:
    return one == other
