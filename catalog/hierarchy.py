"""The fixed hierarchies along which persons may be counted: regions, ages, and the groups of code lists.

They are the hub's and not the caller's or the steward's: on one field all published sets are nested or disjoint, so no
two of them leave a sliver between them (``0-14`` and ``0-15`` would leave those of one year of age). Adding a level is
a change of the hub's code, and of what may be published beside what is published already.
"""

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Final, Literal

from schemas import codelists

Kind = Literal["age", "code"]

UNKNOWN: Final = "unknown"  # a value that is absent or none of the hierarchy's
REGION_DIGITS: Final = (2, 4, 6)  # GB/T 2260: province, city, county
WHOLE: Final = ""  # the region that holds all others

# First years of age of each band, coarse to fine; each set divides the bands of the one before.
AGE_BANDS: Final[Mapping[str, tuple[int, ...]]] = {
    "life_stage": (0, 15, 60),
    "fifteen_year": (0, 15, 30, 45, 60, 75),
    "five_year": tuple(range(0, 90, 5)),
}
AGE_STEP: Final = 5  # years of the finest band
OLDEST_BAND: Final = 85

# Code list → level → group → (codes, Chinese title, English title). The last level of every list is its codes.
_Groups = Mapping[str, tuple[frozenset[str], str, str]]
GROUPINGS: Final[Mapping[str, Mapping[str, _Groups]]] = {
    "gbt4658": {
        "stage": {
            "higher": (frozenset({"10", "20", "30"}), "高等教育", "higher education"),
            "secondary": (frozenset({"40", "50", "60", "70"}), "中等教育", "secondary education"),
            "primary": (frozenset({"80", "90"}), "初等教育及其他", "primary education and other"),
        }
    },
    "gbt2261_2": {
        "status": {
            "never_married": (frozenset({"10"}), "未婚", "never married"),
            "married": (frozenset({"20", "21", "22", "23"}), "已婚", "married"),
            "formerly": (frozenset({"30", "40"}), "丧偶或离婚", "widowed or divorced"),
            "not_stated": (frozenset({"90"}), "未说明", "not stated"),
        }
    },
}
CODE_LEVEL: Final = "code"


def levels_of(kind: Kind, code_list: str | None) -> tuple[str, ...]:
    """The levels of a field's hierarchy, coarse to fine."""
    if kind == "age":
        return tuple(AGE_BANDS)
    return (*GROUPINGS.get(code_list or "", {}), CODE_LEVEL)


@cache
def nodes_of(kind: Kind, code_list: str | None, level: str) -> tuple[str, ...]:
    """The nodes of a level, in order; UNKNOWN is the last."""
    if kind == "age":
        return (*_band_names(level), UNKNOWN)
    if level != CODE_LEVEL:
        return (*GROUPINGS[code_list or ""][level], UNKNOWN)
    return (*(row["code"] for row in codelists.rows(code_list or "")), UNKNOWN)


@cache
def node_at(kind: Kind, code_list: str | None, level: str, leaf: str) -> str:
    """The node of a level under which a leaf of the finest level stands; UNKNOWN stays what it is."""
    if leaf == UNKNOWN:
        return UNKNOWN
    if kind == "age":
        started = [name for start, name in zip(AGE_BANDS[level], _band_names(level), strict=True) if start <= int(leaf)]
        return started[-1]
    if level == CODE_LEVEL:
        return leaf
    groups = GROUPINGS[code_list or ""][level]
    return next((name for name, (codes, _, _) in groups.items() if leaf in codes), UNKNOWN)


@cache
def titles_of(kind: Kind, code_list: str | None, level: str, node: str) -> tuple[str, str]:
    """A node in Chinese and English."""
    if node == UNKNOWN:
        return "不详", "unknown"
    if kind == "age":
        return f"{node} 岁", node
    if level != CODE_LEVEL:
        _, zh, en = GROUPINGS[code_list or ""][level][node]
        return zh, en
    row = next(one for one in codelists.rows(code_list or "") if one["code"] == node)
    return row["name_zh"], row.get("name_en") or node


def regions_above(leaf: str, digits: int) -> tuple[str, ...]:
    """A leaf's regions from the whole down to ``digits`` digits; what is no division code stands under UNKNOWN."""
    if leaf == UNKNOWN:
        return (WHOLE, UNKNOWN)
    return (WHOLE, *(leaf[:length] for length in REGION_DIGITS if length <= digits))


def region_title(region: str) -> str:
    """The name of a region; its code where it has none."""
    if region == WHOLE:
        return "全部"
    if region == UNKNOWN:
        return "不详"
    found = codelists.divisions().get(region)
    return region if found is None else found.name


def _band_names(level: str) -> tuple[str, ...]:
    starts = AGE_BANDS[level]
    return (*(f"{start}-{after - 1}" for start, after in pairwise(starts)), f"{starts[-1]}+")
