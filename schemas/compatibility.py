"""Whether a version of a contract may follow another: by Avro's resolution, made stricter by what the tables need.

backward: records right under the old version are right under the new. forward: the other way round. full: both.
Key, version field, types and the meaning of codes may never change: such a change is a new dataset that replaces the
old.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.contract import Contract, Field, FieldType

Mode = Literal["backward", "forward", "full"]


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
    for field in old.fields:
        if field.name in new.field_names:
            found += _meaning(field, new.field(field.name))
        else:
            zh, en = "字段不能删除,其数据仍在库中", "a field cannot be removed: the store holds its values"
            found.append(Incompatibility(field.name, "removed", zh, en))
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


def _meaning(old: Field, new: Field) -> Iterator[Incompatibility]:
    """What a field's stored values say."""
    if old.code_list is not None and new.code_list != old.code_list:
        yield Incompatibility(
            old.name,
            "code_list",
            "代码表不能更换或取消",
            "the code list cannot change or go: stored codes would change meaning",
        )
    if old.unit is not None and new.unit != old.unit:
        yield Incompatibility(
            old.name, "unit", "计量单位不能改变", "the unit cannot change: stored values would change meaning"
        )
    # The stored column keeps its type: a promotion on paper would not widen it.
    if old.type != new.type:
        yield Incompatibility(
            old.name,
            "type",
            f"类型不能由 {_spoken(old.type)} 改为 {_spoken(new.type)}",
            f"its type cannot change from {_spoken(old.type)} to {_spoken(new.type)}",
        )


def _reading(writer: Contract, reader: Contract, direction: str) -> Iterator[Incompatibility]:
    """Whether every record that was right under ``writer`` is right under ``reader``."""
    for field in reader.fields:
        written = writer.field(field.name) if field.name in writer.field_names else None
        if field.required and (written is None or not written.required):
            yield Incompatibility(
                field.name,
                f"{direction}.required",
                "不能必填,另一版本的记录可能没有它",
                "it cannot be required: records of the other version may lack it",
            )
        if written is not None and field.code_list is not None and written.code_list is None:
            yield Incompatibility(
                field.name,
                f"{direction}.code_list",
                "不能限定代码表,另一版本的记录可能有其他值",
                "it cannot be held to a code list: records of the other version may hold other values",
            )


def _spoken(of: FieldType) -> str:
    if of.items is not None:
        return f"array<{_spoken(of.items)}>"
    return f"decimal({of.precision},{of.scale})" if of.kind == "decimal" else of.kind
