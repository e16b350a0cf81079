"""Entries as JSON: the canonical text that is digested and kept, and the form a provider writes.

A provider writes what only it knows; fields, titles and national types come from the contract, the provider and its
code from the organization. One reader serves the command line and HTTP.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, cast

import rfc8785

from catalog.dataset import Dataset
from catalog.entry import Entry, Item, OpenTerms, ShareTerms, rank_of
from catalog.entry_errors import EntryWrong
from catalog.organization import Organization
from catalog.resource import FieldKind, FieldLevel
from schemas.contract import Contract, Field

_MEMBERS: Final = frozenset(
    {
        *("code", "provider_code", "name", "abstract", "format", "labels", "share", "open", "methods", "update_cycle"),
        *("related", "keywords", "theme", "region"),
    }
)
_OPTIONAL: Final = frozenset({"provider_code", "related", "keywords", "methods", "region"})
_SHARE: Final = frozenset({"type", "scope", "uses", "conditions", "reason", "law"})
_OPEN: Final = frozenset({"type", "conditions", "reason", "planned_on"})
_ENTRIES_REMEMBERED: Final = 4_096


# The canonical text --------------------------------------------------------------------------------------------------


def canonical(entry: Entry, version: int) -> str:
    """RFC 8785 JSON of one version's whole content: what reviews and approvals are bound to."""
    return rfc8785.dumps({"version": version, **entry_to_json(entry)}).decode()


def digest_of(content: str) -> str:
    """SM3 of the canonical text, hexadecimal."""
    return hashlib.new("sm3", content.encode()).hexdigest()


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """Every element by name."""
    return {
        "dataset": entry.dataset,
        "code": entry.code,
        "provider": entry.provider,
        "provider_code": entry.provider_code,
        "name": {"zh": entry.name_zh, "en": entry.name_en},
        "abstract": {"zh": entry.abstract_zh, "en": entry.abstract_en},
        "format": entry.format,
        "items": [
            {
                "name": item.name,
                "title": {"zh": item.title_zh, "en": item.title_en},
                "type": item.national_type,
                "level": item.level,
                "kind": item.kind,
            }
            for item in entry.items
        ],
        "share": {name: getattr(entry.share, name) for name in sorted(_SHARE)},
        "open": {
            "type": entry.open.type,
            "conditions": entry.open.conditions,
            "reason": entry.open.reason,
            "planned_on": None if entry.open.planned_on is None else entry.open.planned_on.isoformat(),
        },
        "methods": list(entry.methods),
        "update_cycle": entry.update_cycle,
        "related": list(entry.related),
        "keywords": list(entry.keywords),
        "theme": entry.theme,
        "region": entry.region,
    }


@lru_cache(_ENTRIES_REMEMBERED)  # a version's text never changes once it counts
def entry_from_canonical(content: str) -> Entry:
    """The entry of a canonical text, as the store keeps it."""
    found = json.loads(content)
    class_code, _, sequence = found["code"].partition("/")
    planned_on = found["open"]["planned_on"]
    return Entry(
        dataset=found["dataset"],
        class_code=class_code,
        sequence=sequence,
        provider=found["provider"],
        provider_code=found["provider_code"],
        name_zh=found["name"]["zh"],
        name_en=found["name"]["en"],
        abstract_zh=found["abstract"]["zh"],
        abstract_en=found["abstract"]["en"],
        format=found["format"],
        items=tuple(
            Item(one["name"], one["title"]["zh"], one["title"]["en"], one["type"], one["level"], one["kind"])
            for one in found["items"]
        ),
        share=ShareTerms(**found["share"]),
        open=OpenTerms(**(found["open"] | {"planned_on": date.fromisoformat(planned_on) if planned_on else None})),
        methods=tuple(found["methods"]),
        update_cycle=found["update_cycle"],
        related=tuple(found["related"]),
        keywords=tuple(found["keywords"]),
        theme=found["theme"],
        region=found["region"],
    )


# What a provider writes ----------------------------------------------------------------------------------------------


def entry_from_draft(given: object, dataset: Dataset, contract: Contract, organization: Organization) -> Entry:
    """The entry of a provider's draft.

    Args:
        given: what was written, already parsed from YAML or JSON.
        dataset: what it is an entry of.
        contract: gives the items.
        organization: the provider.

    Raises:
        EntryWrong: the first element that breaks its rule.
    """
    members = _members(given, _MEMBERS, "entry")
    for name in sorted(_MEMBERS - _OPTIONAL - set(members)):
        raise EntryWrong(element=name, rule_zh="缺少此项", rule_en="it is missing")
    class_code, _, sequence = _str(members["code"], "code").partition("/")
    name, abstract = _bilingual(members["name"], "name"), _bilingual(members["abstract"], "abstract")
    return Entry(
        dataset=dataset.id,
        class_code=class_code,
        sequence=sequence,
        provider=organization.id,
        provider_code=_provider_code(members.get("provider_code"), organization),
        name_zh=name[0],
        name_en=name[1],
        abstract_zh=abstract[0],
        abstract_en=abstract[1],
        format=members["format"],
        items=_items(members["labels"], contract),
        share=ShareTerms(**_texts(members["share"], _SHARE, "share")),
        open=_open(members["open"]),
        methods=cast("Any", _strings(members.get("methods", ()), "methods")),
        update_cycle=cast("Any", _str(members["update_cycle"], "update_cycle")),
        related=_strings(members.get("related", ()), "related"),
        keywords=_strings(members.get("keywords", ()), "keywords"),
        theme=_str(members["theme"], "theme"),
        region=_str(members.get("region", organization.region), "region"),
    )


def _items(value: object, contract: Contract) -> tuple[Item, ...]:
    """Every field of the contract in its order; a label of a field there is not is refused."""
    labels = _members(value, frozenset(contract.field_names), "labels")
    return tuple(_item(field, labels.get(field.name)) for field in contract.fields)


def _item(field: Field, label: object) -> Item:
    level: FieldLevel | None = None
    kind: FieldKind = "other"
    if label is not None:
        members = _members(label, frozenset({"level", "kind"}), f"labels.{field.name}")
        level, kind = members.get("level"), _str(members.get("kind", "other"), f"labels.{field.name}.kind")  # pyright: ignore[reportAssignmentType] - Item checks both
    item = Item(field.name, field.title_zh, field.title_en, field.national_type, level, kind)
    if item.level is not None and field.level is not None and rank_of(item.level) < field.level:
        raise EntryWrong(
            element=f"labels.{field.name}.level",
            rule_zh=f"不得低于数据契约的 {field.level} 级(就高从严);降级请先登记新版契约",
            rule_en=f"it may not be below the contract's level {field.level}; lower that first, in a new version",
        )
    return item


def _open(value: object) -> OpenTerms:
    members = dict(_members(value, _OPEN, "open"))
    planned = members.pop("planned_on", None)
    if isinstance(planned, str):
        try:
            planned = date.fromisoformat(planned)
        except ValueError:
            planned = ""
    if planned is not None and type(planned) is not date:
        raise EntryWrong(element="open.planned_on", rule_zh="应为日期 YYYY-MM-DD", rule_en="it must be a date")
    return OpenTerms(**_texts(members, _OPEN, "open"), planned_on=planned)


def _provider_code(value: object, organization: Organization) -> str:
    if value is None:
        if organization.credit_code is None:
            raise EntryWrong(
                element="provider_code",
                rule_zh=f"单位 {organization.id} 未登记统一社会信用代码,须在条目中写明",
                rule_en=f"organization {organization.id} has no credit code on record, so the entry must name it",
            )
        return organization.credit_code
    code = _str(value, "provider_code")
    if organization.credit_code not in {None, code}:
        raise EntryWrong(
            element="provider_code", rule_zh="与单位登记的代码不一致", rule_en="it is not the one on record"
        )
    return code


# Shapes --------------------------------------------------------------------------------------------------------------


def _members(value: object, allowed: frozenset[str], element: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EntryWrong(element=element, rule_zh="应为对象", rule_en="it must be an object")
    found = cast("Mapping[object, Any]", value)
    for name in found:
        if name not in allowed:
            shown = ascii(name)[1:-1][:40] if isinstance(name, str) else "?"
            raise EntryWrong(element=element, rule_zh=f"不认识的项 {shown}", rule_en=f"it knows no {shown}")
    return cast("Mapping[str, Any]", found)


def _str(value: object, element: str) -> str:
    if not isinstance(value, str):
        raise EntryWrong(element=element, rule_zh="应为文本", rule_en="it must be text")
    return value


def _texts(value: object, allowed: frozenset[str], element: str) -> dict[str, Any]:
    members = _members(value, allowed, element)
    if "type" not in members:
        raise EntryWrong(element=f"{element}.type", rule_zh="缺少此项", rule_en="it is missing")
    return {name: _str(one, f"{element}.{name}") for name, one in members.items() if one is not None}


def _strings(value: object, element: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise EntryWrong(element=element, rule_zh="应为文本的列表", rule_en="it must be a list of texts")
    return tuple(_str(one, element) for one in cast("Sequence[object]", value))


def _bilingual(value: object, element: str) -> tuple[str, str]:
    members = _members(value, frozenset({"zh", "en"}), element)
    return _str(members.get("zh"), f"{element}.zh"), _str(members.get("en"), f"{element}.en")
