"""A grant: what was allowed to whom, for which purpose and until when. A request is decided under exactly one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from catalog.condition import Condition

Treatment = Literal["clear", "masked", "generalised", "pseudonymous", "withheld"]
Method = Literal["api", "batch", "file", "subscription"]
GrantKind = Literal["ordinary", "emergency"]
GrantState = Literal["active", "suspended", "ended"]


@dataclass(frozen=True, slots=True)
class Quota:
    """What may be had within a day of the hub's clock (Asia/Shanghai); None is no limit."""

    requests: int | None = None
    rows: int | None = None
    bytes: int | None = None


UNLIMITED: Final = Quota()


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant.

    Args:
        id: UUID version 7 in text; by it grants are ordered.
        kind: ordinary, or emergency with compulsory after-review.
        holder: ``organization:<id>``, ``application:<uuid>`` or ``person:<uuid>``.
        dataset: id.
        fields: the fields allowed, each with the most open treatment allowed.
        laws: fields of level 4 that are named with the law (field → article), and may then be clear.
        rows: which rows; None for all.
        purpose: the one purpose it was asked for (使用场景).
        basis: the law or duty it rests on (使用依据).
        methods: the ways of delivery allowed (共享方式).
        quota: limits within a day.
        valid_from: first instant.
        valid_until: first instant at which it does not hold any more (使用时限).
        state: suspended may become active again after rectification (限期整改); ended never.
        request: the request it answers.
    """

    id: str
    kind: GrantKind
    holder: str
    dataset: str
    fields: Mapping[str, Treatment]
    laws: Mapping[str, str]
    rows: Condition | None
    purpose: str
    basis: str
    methods: frozenset[Method]
    quota: Quota
    valid_from: datetime
    valid_until: datetime
    state: GrantState
    request: str | None
