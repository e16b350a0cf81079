"""The exact bytes of a release of statistics: JSON, CSV, and the report that a reviewer looks at.

All three are made once, stored and served as they are. Counts are rounded here and nowhere else; nothing in any of the
three is exact, the report's smallest cell included. A cell that is not listed in a slice that is has no person.
"""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import rfc8785

from catalog.aggregate import Aggregate, Cell, aggregate_to_json, definition_digest, detail_id
from catalog.disclosure import ROUNDED_TO, Outcome, fewest_values, rounded
from catalog.hierarchy import region_title, titles_of
from catalog.tabulation import Slice, Statement, Table
from schemas.batch import sm3_hex

RULES: Final = ("threshold", "line", "remainder", "change", "nested", "interval", "rounding")  # as disclosure has them


def json_of(aggregate: Aggregate, version: int, outcome: Outcome, instant: datetime) -> bytes:
    """Canonical JSON (RFC 8785)."""
    return rfc8785.dumps(
        {
            "statistics": aggregate.id,
            "version": version,
            "title": {"zh": aggregate.title_zh, "en": aggregate.title_en},
            "measure": "persons",
            "k": aggregate.k,
            "rounded_to": ROUNDED_TO,
            "computed_as_of": _text(instant),
            "definition_sm3": definition_digest(aggregate),
            "dimensions": [{"field": one.field, "levels": list(one.levels)} for one in aggregate.dimensions],
            "slices": [_slice(aggregate, of, outcome.shown[of]) for of in _ordered(outcome.shown)],
            "withheld": [{"region": of[0], "detail": detail_id(aggregate.details[of[1]])} for of in outcome.withheld],
            "notes": {
                "zh": f"人数四舍五入到 {ROUNDED_TO};每个区域的细分要么整体公布,要么整体不公布;未列出的单元格为零;"
                "as_of 是该数字统计的时点,变化不足 k 人的数字保持不变。各级合计分别取整,故可能不等于分项之和。",
                "en": f"Persons are rounded to {ROUNDED_TO}. A breakdown of a region is published whole or not at"
                " all; a cell not listed has no person. as_of is the instant of a figure: one that changed by fewer"
                " than k persons stands. Sums are rounded by themselves and need not be the sum of their parts.",
            },
        }
    )


def csv_of(aggregate: Aggregate, outcome: Outcome) -> bytes:
    """One line a cell (RFC 4180); a column is empty where a cell is not divided by it."""
    fields = [one.field for one in aggregate.dimensions]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    titles = [f"{field}_title" for field in fields]
    writer.writerow(["region", "region_title", "detail", *fields, *titles, "persons", "as_of"])
    for of in _ordered(outcome.shown):
        region, detail = of
        statement = outcome.shown[of]
        steps = aggregate.details[detail]
        for cell in _cells(aggregate, detail, statement):
            nodes = dict(zip((field for field, _ in steps), cell, strict=True))
            named = {field: title for (field, _), title in zip(steps, _titles(aggregate, detail, cell), strict=True)}
            writer.writerow(
                [
                    region,
                    region_title(region),
                    detail_id(steps),
                    *(nodes.get(field, "") for field in fields),
                    *(named.get(field, "") for field in fields),
                    rounded(statement.counts[cell]),
                    _text(statement.instant),
                ]
            )
    return text.getvalue().encode()


def report_of(
    aggregate: Aggregate,
    table: Table,
    outcome: Outcome,
    instant: datetime,
    earlier_releases: int,
    forms: Mapping[str, bytes],
) -> bytes:
    """What the reviewer reads and the review is bound to: k and l reached, what was checked, and both digests."""
    counts = [one.counts for one in outcome.shown.values()]
    smallest = min((count for one in counts for count in one.values() if count), default=0)
    places = table.attributes
    values = [
        fewest for (_, detail), one in outcome.shown.items() if (fewest := fewest_values(one.counts, places[detail]))
    ]
    new = [of for of, one in outcome.recorded.items() if one.stated]
    return rfc8785.dumps(
        {
            "statistics": aggregate.id,
            "definition": aggregate_to_json(aggregate),
            "definition_sm3": definition_digest(aggregate),
            "computed_as_of": _text(instant),
            "k": {"demanded": aggregate.k, "smallest_published_rounded": rounded(smallest)},
            "l": min(values, default=None),
            "rules": list(RULES),
            "earlier_releases_checked": earlier_releases,
            "slices": {
                "stated_now": len(new),
                "standing": len(outcome.shown) - len(new),
                "withheld": len(outcome.withheld),
            },
            "cells_published": sum(len(one) for one in counts),
            "sm3": {name: sm3_hex(content) for name, content in forms.items()},
        }
    )


def _slice(aggregate: Aggregate, of: Slice, statement: Statement) -> dict[str, Any]:
    region, detail = of
    return {
        "region": region,
        "region_title": region_title(region),
        "detail": detail_id(aggregate.details[detail]),
        "as_of": _text(statement.instant),
        "cells": [
            {
                "at": list(cell),
                "title": list(_titles(aggregate, detail, cell)),
                "persons": rounded(statement.counts[cell]),
            }
            for cell in _cells(aggregate, detail, statement)
        ],
    }


def _ordered(shown: Mapping[Slice, Statement]) -> list[Slice]:
    return sorted(shown, key=lambda of: (of[1], len(of[0]), of[0]))


def _cells(aggregate: Aggregate, detail: int, statement: Statement) -> list[Cell]:
    return [cell for cell in aggregate.cells(detail) if statement.counts.get(cell)]


def _titles(aggregate: Aggregate, detail: int, cell: Cell) -> tuple[str, ...]:
    """In Chinese; codes and bands are the same in both languages."""
    found: list[str] = []
    for (field, level), node in zip(aggregate.details[detail], cell, strict=True):
        dimension = aggregate.dimension(field)
        found.append(titles_of(dimension.kind, dimension.code_list, level, node)[0])
    return tuple(found)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
