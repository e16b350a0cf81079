"""From a decision to the statement that runs: the query held against it, cursors opened, keys at hand."""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from catalog.caller import Caller
from catalog.condition import AllOf, AnyOf, Compare, Condition
from catalog.condition_errors import ConditionWrong
from catalog.condition_json import typed
from catalog.decision import Decision
from catalog.resource import Resource
from hub.release.cursor import Cursors
from hub.release.errors import FormatNotOffered
from hub.release.formats import FORMATS, offered
from hub.release.gate import Decided
from hub.release.grammar import value_of
from hub.release.page import Ask, Fetched, Page
from hub.release.query import Query, query_of
from hub.release.reference import ReferenceKeys, read_opaque, read_plain
from hub.release.select import Body, Compiled, Statement, body_of, geometry_of
from hub.release.shape import shape_of, values_of
from hub.release.shaped import given_types
from schemas.contract import FieldType
from schemas.national.provider import CryptoProvider

KEYS_REMEMBERED: Final = 10_000
MADE_MAX: Final = 64  # queries and statements of one decision
_OWN: Final = re.compile(r"p[0-9]+")  # as Parameters names them
Made = TypeVar("Made")
CIPHER_BYTES: Final = 16
_NO_RECORD: Final = AnyOf(())  # true of none

Settled = Callable[[datetime], datetime]


class DerivedKeys(Protocol):
    """The hub's keys, as far as release needs them."""

    def derive(self, purpose: str, length_bytes: int = 32) -> bytes:
        """The key for one purpose."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What will run, and what it was made from.

    Args:
        caller: whose.
        decided: under which decision.
        compiled: the query under it.
        statement: to run.
        form: of its body.
        limit: most records.
        at: the moment; None for the newest.
        count: what the page before told of the matches; None where it did not.
        now: the moment of the request.
        first: whether no page came before.
    """

    caller: Caller
    decided: Decided
    compiled: Compiled
    statement: Statement
    form: str
    limit: int
    at: datetime | None
    count: int | None
    now: datetime
    first: bool

    def page(self, fetched: Fetched, count: tuple[str, int] | None) -> Page:
        """The page of what was fetched. An estimate never contradicts what the page itself shows."""
        if count is not None and count[0] == "estimated" and self.count is None:
            shown = len(fetched.records) + fetched.more
            count = ("estimated", shown if self.first and not fetched.more else max(shown, count[1]))
        return Page(self.caller, self.decided, self.compiled, fetched, self.at, count, self.now)


class Planner:
    """Plans. Threads may share it."""

    def __init__(self, keys: DerivedKeys, provider: CryptoProvider) -> None:
        self.cursors = Cursors(provider, keys.derive("cursor", CIPHER_BYTES))
        self._derive = lru_cache(KEYS_REMEMBERED)(keys.derive)

    def plan(self, caller: Caller, ask: Ask, decided: Decided, now: datetime, settled: Settled) -> Plan:
        """A page.

        Args:
            caller: who asks.
            ask: for what.
            decided: allowed.
            now: the moment.
            settled: from a moment asked for to the one used, which is not past the horizon.
        """
        query = _query(ask, decided)
        place = None
        if ask.wanted.cursor is not None:
            place = self.cursors.open(ask.wanted.cursor, caller.id, query.digest, now)
        at = None if place is None else place.instant
        if at is None and ask.wanted.as_of is not None:
            at = settled(ask.wanted.as_of)
        compiled = self._compiled(caller, decided, query)
        after = None if place is None else place.values
        return self._plan(caller, ask, decided, now, compiled, at, after=after, count=place.count if place else None)

    def plan_record(
        self, caller: Caller, ask: Ask, decided: Decided, now: datetime, settled: Settled, reference: str
    ) -> Plan:
        """One record. What is no reference is planned as a record that is not there, and takes as long."""
        query = _query(ask, decided)
        compiled = self._compiled(caller, decided, query)
        condition = _key_condition(decided.resource, reference, compiled.references)
        query = Query(condition, None, query.fields, query.order, query.dataset)
        compiled = Compiled(compiled.resource, compiled.decision, query, compiled.references, compiled.pseudonym_key)
        at = None if ask.wanted.as_of is None else settled(ask.wanted.as_of)
        return self._plan(caller, ask, decided, now, compiled, at, after=None, count=None)

    def compiled(self, caller: Caller, decision: Decision, resource: Resource, query: Query) -> Compiled:
        """A query under a decision, with the keys of this caller's references and pseudonyms."""
        holder = caller.organization or caller.id
        references = None
        if resource.key_is_confidential or not set(resource.key) <= decision.clear_fields:
            references = ReferenceKeys(
                self._derive(f"reference-mac:{resource.dataset}:{holder}"),
                self._derive(f"reference:{resource.dataset}:{holder}", CIPHER_BYTES),
            )
        pseudonym_key = self._derive(f"pseudonym:{resource.dataset}:{holder}")
        return Compiled(resource, decision, query, references, pseudonym_key)

    def _compiled(self, caller: Caller, decided: Decided, query: Query) -> Compiled:
        """The same, with the keys looked up once for a decision, which is one caller's."""
        made: Compiled | None = decided.memory.get("compiled")
        if made is None:
            made = _remember(decided, "compiled", self.compiled(caller, decided.decision, decided.resource, query))
        return Compiled(decided.resource, decided.decision, query, made.references, made.pseudonym_key)

    def _plan(
        self,
        caller: Caller,
        ask: Ask,
        decided: Decided,
        now: datetime,
        compiled: Compiled,
        at: datetime | None,
        *,
        after: tuple[str | None, ...] | None,
        count: int | None,
    ) -> Plan:
        form, limit = ask.format.form, 1 if ask.single else ask.wanted.limit
        statement = _statement(decided, compiled, form, limit, after, at)
        return Plan(caller, decided, compiled, statement, form, limit, at, count, now, after is None)


def _query(ask: Ask, decided: Decided) -> Query:
    """The query under its decision; one without a filter is likely to come again."""
    wanted = ask.wanted
    if wanted.filter is not None or wanted.filters or wanted.box or wanted.cursor or wanted.as_of:
        return query_of(wanted, decided.decision, decided.resource)
    found = decided.memory.get(wanted)
    return found or _remember(decided, wanted, query_of(wanted, decided.decision, decided.resource))


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement of one shape: its text, the parameters that stay, and the names of the query's own."""

    text: str
    stays: Mapping[str, Any]
    own: tuple[str, ...]


def _statement(
    decided: Decided,
    compiled: Compiled,
    form: str,
    limit: int,
    after: tuple[str | None, ...] | None,
    at: datetime | None,
) -> Statement:
    """The page's statement. First pages, most there are, are written once for each shape."""
    query = compiled.query
    if after is not None:
        return compiled.page(_body(compiled, form), limit, after=after, at=at)
    key = (form, limit, query.fields, query.order, query.box is None, at is None, shape_of(query.condition))
    moving = compiled.sides() if at is None else {**compiled.sides(), "at": at}
    values = list(values_of(query.condition))
    written = decided.memory.get(key)
    if written is not None:
        changing = dict(zip(written.own, values, strict=True)) | moving
        return Statement(written.text, {**written.stays, **changing}, written.stays)
    statement = compiled.page(_body(compiled, form), limit, at=at)
    own = tuple(name for name in statement.parameters if _OWN.fullmatch(name))[-len(values) :] if values else ()
    if [statement.parameters[name] for name in own] == values:
        leaves_out = {*own, *moving}
        stays = {name: value for name, value in statement.parameters.items() if name not in leaves_out}
        _remember(decided, key, _Written(statement.text, stays, own))
    return statement


def _body(compiled: Compiled, form: str) -> Body:
    if form == "feature" and geometry_of(_types(compiled)) is None:
        raise FormatNotOffered(offered=offered([one for one in FORMATS if one.form != "feature"]))
    return body_of(compiled, form)


def _remember(decided: Decided, key: Hashable, made: Made) -> Made:
    if len(decided.memory) >= MADE_MAX:
        decided.memory.clear()
    decided.memory[key] = made
    return made


def _types(compiled: Compiled) -> dict[str, FieldType]:
    return given_types(compiled.decision, compiled.resource, compiled.query.fields)


def _key_condition(resource: Resource, reference: str, keys: ReferenceKeys | None) -> Condition:
    width = len(resource.key)
    parts = read_plain(reference, width) if keys is None else read_opaque(reference, width, keys)
    if parts is None:
        return _NO_RECORD
    try:
        return AllOf(
            tuple(
                Compare(name, "=", typed(value_of(part, resource.fields[name].type), resource.fields[name].type, name))
                for name, part in zip(resource.key, parts, strict=True)
            )
        )
    except ConditionWrong:
        return _NO_RECORD
