"""DCAT 3 of the catalogue, as Turtle and as JSON-LD (W3C Recommendation 2024-08-22). Pure; written as it is read.

A catalogue of a hundred thousand entries does not fit into a graph in memory on the way out, so both forms are streams:
a dataset is described on its own, and its place in the catalogue is said beside it. Tests read both with rdflib.

Update cycles and access rights are those of the EU's authority tables, which DCAT-AP uses and others understand; the
elements of the national guide that DCAT has no word for stand in ``dct:rights`` and ``dct:provenance`` as text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from catalog.entry import FORMATS, Entry
from catalog.organization import Organization

_AUTHORITY: Final = "http://publications.europa.eu/resource/authority/"
_FREQUENCIES: Final[Mapping[str, str]] = {
    "realtime": "UPDATE_CONT",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "ten_days": "MONTHLY_3",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "half_yearly": "ANNUAL_2",
    "yearly": "ANNUAL",
}
_ACCESS: Final = {"unconditional": "PUBLIC", "conditional": "RESTRICTED", "not_open": "NON_PUBLIC"}
_SHARE_ZH: Final = {"unconditional": "无条件共享", "conditional": "有条件共享", "not_shared": "不予共享"}
_OPEN_ZH: Final = {"unconditional": "无条件开放", "conditional": "有条件开放", "not_open": "不予开放"}
_METHODS: Final = {
    "api": ("服务接口", "service interface"),
    "batch": ("批量交换", "batch exchange"),
    "file": ("文件下载", "file download"),
    "subscription": ("订阅", "subscription"),
}
# Where the records themselves are had; the other methods are arranged, and their page is the entry.
_ACCESS_PATHS: Final = {"api": "/v1/datasets/{dataset}/records", "file": "/v1/datasets/{dataset}/export"}
PREFIXES: Final[Mapping[str, str]] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
TURTLE: Final = "text/turtle"
JSON_LD: Final = "application/ld+json"

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """An entry in force, as it is exported."""

    entry: Entry
    version: int
    organization: Organization
    issued: datetime
    modified: datetime


def json_ld(base_url: str, hub_id: str, described: Iterable[Described]) -> Iterator[str]:
    """The catalogue as one JSON-LD document, piece by piece."""
    yield '{"@context":' + _dumps(PREFIXES) + ',"@graph":['
    yield _dumps(_catalog(base_url, hub_id))
    for one in described:
        for node in _nodes(base_url, one):
            yield ",\n" + _dumps(node)
    yield "]}\n"


def turtle(base_url: str, hub_id: str, described: Iterable[Described]) -> Iterator[str]:
    """The same as Turtle."""
    for prefix, namespace in PREFIXES.items():
        yield f"@prefix {prefix}: <{namespace}> .\n"
    yield _turtle_node(_catalog(base_url, hub_id))
    for one in described:
        for node in _nodes(base_url, one):
            yield _turtle_node(node)


# Nodes, in the shape of JSON-LD --------------------------------------------------------------------------------------


def _catalog(base_url: str, hub_id: str) -> Node:
    return {
        "@id": f"{base_url}/v1/catalog/dcat",
        "@type": "dcat:Catalog",
        "dct:identifier": hub_id,
        "dct:title": [_text("政务数据共享目录", "zh"), _text("Catalogue of government data", "en")],
        "dct:description": [
            _text("枢纽登记的政务数据资源,仅列出查询者可知悉的条目。", "zh"),
            _text("Government data registered with the hub, as far as who asks may know of them.", "en"),
        ],
        "dct:language": [{"@id": f"{_AUTHORITY}language/{code}"} for code in ("ZHO", "ENG")],
    }


def _nodes(base_url: str, one: Described) -> Iterator[Node]:
    entry, page = one.entry, f"{base_url}/v1/catalog/entries/{one.entry.dataset}"
    publisher = f"{base_url}/v1/catalog/organizations/{one.organization.id}"
    yield {"@id": f"{base_url}/v1/catalog/dcat", "dcat:dataset": {"@id": page}}
    yield {
        "@id": publisher,
        "@type": "foaf:Agent",
        "foaf:name": [_text(one.organization.name_zh, "zh"), _text(one.organization.name_en, "en")],
        "dct:identifier": entry.provider_code,
    }
    yield {
        "@id": page,
        "@type": "dcat:Dataset",
        "dct:identifier": entry.code,
        "dct:title": [_text(entry.name_zh, "zh"), _text(entry.name_en, "en")],
        "dct:description": [_text(entry.abstract_zh, "zh"), _text(entry.abstract_en, "en")],
        "dct:publisher": {"@id": publisher},
        "dct:issued": _instant(one.issued),
        "dct:modified": _instant(one.modified),
        "dcat:version": str(one.version),
        "dcat:keyword": [_text(keyword, "zh") for keyword in entry.keywords],
        "dcat:theme": {"@type": "skos:Concept", "skos:prefLabel": _text(entry.theme, "zh")},
        "dct:accrualPeriodicity": {"@id": f"{_AUTHORITY}frequency/{_FREQUENCIES[entry.update_cycle]}"},
        "dct:accessRights": {"@id": f"{_AUTHORITY}access-right/{_ACCESS[entry.open.type]}"},
        "dct:rights": [{"@type": "dct:RightsStatement", "rdfs:label": _text(text, "zh")} for text in _rights(entry)],
        "dct:spatial": {"@type": "dct:Location", "dct:identifier": entry.region},
        "dct:relation": [{"@id": f"urn:x-hub:resource:{code.replace('/', ':')}"} for code in entry.related],
        "dcat:distribution": [{"@id": f"{page}#{method}"} for method in entry.methods],
    }
    for method in entry.methods:
        (zh, en), path = _METHODS[method], _ACCESS_PATHS.get(method)
        yield {
            "@id": f"{page}#{method}",
            "@type": "dcat:Distribution",
            "dct:title": [_text(zh, "zh"), _text(en, "en")],
            "dcat:accessURL": {"@id": base_url + path.format(dataset=entry.dataset) if path else page},
            "dct:format": {"@type": "dct:MediaTypeOrExtent", "rdfs:label": _text(FORMATS[entry.format][0], "zh")},
        }


def _rights(entry: Entry) -> Iterator[str]:
    """Share and open attributes with what article 15 has them list."""
    share, opened = entry.share, entry.open
    listed = (share.scope, share.uses, share.conditions, share.reason, share.law)
    yield ":".join((_SHARE_ZH[share.type], ";".join(text for text in listed if text))).rstrip(":")
    planned = "" if opened.planned_on is None else f"计划开放时间 {opened.planned_on.isoformat()}"
    listed = (opened.conditions, opened.reason, planned)
    yield ":".join((_OPEN_ZH[opened.type], ";".join(text for text in listed if text))).rstrip(":")


def _text(value: str, language: str) -> Node:
    return {"@value": value, "@language": language}


def _instant(value: datetime) -> Node:
    return {"@value": value.isoformat(), "@type": "xsd:dateTime"}


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# Turtle --------------------------------------------------------------------------------------------------------------


def _turtle_node(node: Node) -> str:
    return f"<{_iri(node['@id'])}> {_predicates(node)} .\n"


def _predicates(node: Node) -> str:
    written = [f"a {node['@type']}"] if "@type" in node else []
    for name, value in node.items():
        objects = value if isinstance(value, list) else [value]
        if not name.startswith("@") and objects:
            written.append(f"{name} {', '.join(_object(one) for one in objects)}")
    return " ;\n    ".join(written)


def _object(value: object) -> str:
    if not isinstance(value, dict):
        return _literal(str(value))
    node: Node = value
    if "@value" in node:
        suffix = f"@{node['@language']}" if "@language" in node else ""
        return _literal(node["@value"]) + (f"^^{node['@type']}" if "@type" in node else suffix)
    if "@id" in node:
        return f"<{_iri(node['@id'])}>"
    return f"[ {_predicates(node)} ]"


def _literal(text: str) -> str:
    """Turtle §6.4: JSON's escapes are among Turtle's, and its strings are quoted alike."""
    return json.dumps(text, ensure_ascii=False)


def _iri(text: str) -> str:
    """Turtle §6.4, IRIREF: what may not stand in it is percent-encoded."""
    return "".join(f"%{ord(one):02X}" if one in '<>"{}|^`\\' or ord(one) <= 0x20 else one for one in text)  # noqa: PLR2004 - controls and space
