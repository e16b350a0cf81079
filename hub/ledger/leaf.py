"""A leaf: one record of the ledger, and the bytes of it that are hashed and kept.

The bytes are RFC 8785 (JCS) JSON in UTF-8 of integers and strings only, always with every member, so that nobody has to
guess what an absent one means. A value that may be personal (an address, a record's key, free text) stands there as a
commitment, HMAC-SM3(salt, value), whose salt is kept beside the ledger and can be erased without touching the tree.
"""

import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final, Literal
from uuid import UUID

from hub.ledger.errors import LeafWrong
from schemas.batch import uuid7

VERSION: Final = 1
CONFIDENTIAL: Final = ("src_ip", "record_key", "reason")
SALT_BYTES: Final = 32
CHARACTERS_MAX: Final = 1_000  # of one member
RULES_MAX: Final = 100
VALUE_CHARACTERS_MAX: Final = 10_000  # of a confidential value, which is kept as a commitment
BYTES_MAX: Final = 16_384  # of a record, as the table has it
INTEGER_MAX: Final = 2**53 - 1
SAME_MAX: Final = 2_000  # callers whose leaves' common parts are remembered
_quoted: Final = encode_basestring  # escapes as ECMAScript's JSON.stringify does: what RFC 8785 §3.2.2.2 asks
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")

Decision = Literal["allowed", "denied", ""]


def _nothing() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Leaf:
    """What happened. No personal data in any member but ``confidential``.

    Args:
        action: what was done, as ``grant.given``.
        actor: who did it: a caller's opaque id.
        actor_org: of which organization; empty for the public and for developers of their own.
        on_behalf_of: for which organization or person, where it is another.
        object: what it was done to, as ``grant:<id>``.
        object_version: in which version or state.
        purpose: the purpose stated.
        grant: the grant a request was decided under.
        decision: where something was decided.
        rules: ids of the rules that decided, in order.
        policy: digest of the policy that decided.
        rows: how many records.
        bytes: how many bytes.
        result_sm3: SM3 of what was handed out or written, hexadecimal.
        trace: what it belongs to: the run of a batch, a span of the log, a delivery.
        confidential: ``src_ip``, ``record_key``, ``reason``, as far as there are any.
    """

    action: str
    actor: str
    actor_org: str = ""
    on_behalf_of: str = ""
    object: str = ""
    object_version: str = ""
    purpose: str = ""
    grant: str = ""
    decision: Decision = ""
    rules: tuple[str, ...] = ()
    policy: str = ""
    rows: int = 0
    bytes: int = 0
    result_sm3: str = ""
    trace: str = ""
    confidential: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a commitment: the value and its salt."""

    member: str
    salt: bytes
    value: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A leaf as it is kept: its id, its bytes, and what opens its commitments."""

    id: str
    record: bytes
    openings: tuple[Opening, ...]


def record(
    leaf: Leaf, origin: str, now: datetime, id_: str | None = None, random: Callable[[int], bytes] = secrets.token_bytes
) -> Recorded:
    """Make the bytes of a leaf. Each call makes another id and other salts.

    Args:
        leaf: what happened.
        origin: the ledger's name.
        now: when.
        id_: the leaf's id, a UUID of version 7, where the caller had to know it before.
        random: the source of salts.

    Raises:
        LeafWrong: a member cannot be recorded.
    """
    _check(leaf)
    openings = tuple(Opening(name, random(SALT_BYTES), value) for name, value in leaf.confidential.items() if value)
    made = id_ or uuid7(now)
    try:
        commitments = {one.member: commitment(one) for one in openings}
        encoded = _text(leaf, origin, now, made, commitments).encode()
    except UnicodeEncodeError:
        raise LeafWrong("text", "含有孤立的代理字符", "it holds a lone surrogate") from None
    if len(encoded) > BYTES_MAX:
        raise LeafWrong("text", f"超过 {BYTES_MAX} 字节", f"all members together are over {BYTES_MAX} bytes")
    return Recorded(made, encoded, openings)


def commitment(opening: Opening) -> str:
    """HMAC-SM3 of the value under its salt, hexadecimal."""
    return hmac.digest(opening.salt, opening.value.encode(), "sm3").hex()


def read_record(text: bytes) -> dict[str, object]:
    """The members of a record, for people and for looking whose it is. What is verified is the bytes."""
    members = json.loads(text)
    return members if isinstance(members, dict) else {}


def _text(leaf: Leaf, origin: str, now: datetime, id_: str, commitments: Mapping[str, str]) -> str:
    """The members in the order of RFC 8785 §3.2.3, written out because every answer waits for it: a tenth of the time
    a general encoder takes. A test compares the two.
    """
    actor, decided, id_to_purpose, rules, trace = _same(
        *(leaf.action, leaf.actor, leaf.actor_org, leaf.decision, leaf.grant, origin, leaf.object),
        *(leaf.object_version, leaf.on_behalf_of, leaf.policy, leaf.purpose, leaf.rules, leaf.trace),
    )
    moment = now.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return (
        f"{actor}{int(leaf.bytes)}{decided}{_quoted(id_)}{id_to_purpose}"
        f'"reason":"{commitments.get("reason", "")}","record_key":"{commitments.get("record_key", "")}",'
        f'"result_digest":{_quoted(leaf.result_sm3)},"rows":{int(leaf.rows)},{rules}'
        f'"src_ip":"{commitments.get("src_ip", "")}",{trace},"ts":"{moment}Z","v":{VERSION}}}'
    )


@lru_cache(SAME_MAX)
def _same(
    action: str,
    actor: str,
    actor_org: str,
    decision: str,
    grant: str,
    origin: str,
    object_: str,
    object_version: str,
    on_behalf_of: str,
    policy: str,
    purpose: str,
    rules: tuple[str, ...],
    trace: str,
) -> tuple[str, str, str, str, str]:
    """What the leaves of one caller's reading have in common, in the stretches in which it stands."""
    return (
        f'{{"action":{_quoted(action)},"actor":{_quoted(actor)},"actor_org":{_quoted(actor_org)},"bytes":',
        f',"decision":{_quoted(decision)},"grant_id":{_quoted(grant)},"id":',
        (
            f',"log":{_quoted(origin)},"object":{_quoted(object_)},"object_ver":{_quoted(object_version)},'
            f'"on_behalf_of":{_quoted(on_behalf_of)},"policy_hash":{_quoted(policy)},"purpose":{_quoted(purpose)},'
        ),
        f'"rule_ids":[{",".join([_quoted(rule) for rule in rules])}],',
        f'"trace_id":{_quoted(trace)}',
    )


def _check(leaf: Leaf) -> None:
    if not _ACTION.fullmatch(leaf.action):
        raise LeafWrong("action", "须形如 grant.given", "it must look like grant.given")
    for name, number in (("rows", leaf.rows), ("bytes", leaf.bytes)):
        if not 0 <= number <= INTEGER_MAX:
            raise LeafWrong(name, f"须在 0 与 {INTEGER_MAX} 之间", f"it must be between 0 and {INTEGER_MAX}")
    if len(leaf.rules) > RULES_MAX:
        raise LeafWrong("rules", f"多于 {RULES_MAX} 条", f"there are more than {RULES_MAX}")
    if max(map(len, (*_texts(leaf), *leaf.rules))) > CHARACTERS_MAX:
        raise LeafWrong("text", f"一项超过 {CHARACTERS_MAX} 字", f"one is longer than {CHARACTERS_MAX} characters")
    for name, value in leaf.confidential.items():
        if name not in CONFIDENTIAL:
            raise LeafWrong(
                name, f"只能是 {'、'.join(CONFIDENTIAL)}", f"it may only be one of {', '.join(CONFIDENTIAL)}"
            )
        if len(value) > VALUE_CHARACTERS_MAX or "\x00" in value:
            raise LeafWrong(name, "过长或含空字符", "it is too long or holds a NUL")


def _texts(leaf: Leaf) -> tuple[str, ...]:
    return (
        *(leaf.actor, leaf.actor_org, leaf.on_behalf_of, leaf.object, leaf.object_version),
        *(leaf.purpose, leaf.grant, leaf.policy, leaf.result_sm3, leaf.trace),
    )


def is_leaf_id(text: str) -> bool:
    """Whether a text is the canonical form of a UUID."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
