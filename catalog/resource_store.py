"""A dataset as a decision sees it, read with one indexed query. A connection comes first; nothing commits.

What a field's level is where entry, contract and a raise say different things: ``catalog.labels``.
"""

from functools import lru_cache
from typing import Final

from psycopg import Connection

from catalog.entry_json import entry_from_canonical
from catalog.labels import labels_of
from catalog.resource import Resource
from schemas.contract import Contract, parse_contract

_CONTRACTS_REMEMBERED: Final = 512


def resource_of(conn: Connection, dataset: str) -> Resource | None:
    """The dataset as of now; None where there is none of this id.

    A caller may remember it for as long as the policy epoch (``catalog.epoch_store``) stays what it was before.
    """
    row = conn.execute(
        "SELECT d.organization, d.base, c.source, v.version, v.content, coalesce(s.passed AND s.sm3 = v.sm3, false),"
        " r.levels FROM dataset d"
        " JOIN contract_version c ON c.name = d.contract AND c.version = d.contract_version"
        " LEFT JOIN entry_version v ON v.dataset = d.id AND v.state = 'published'"
        " LEFT JOIN LATERAL (SELECT passed, sm3 FROM secrecy_review"
        " WHERE dataset = v.dataset AND version = v.version ORDER BY number DESC LIMIT 1) s ON true"
        " LEFT JOIN LATERAL (SELECT jsonb_object_agg(field, level) AS levels FROM raised_level"
        " WHERE dataset = d.id) r ON true WHERE d.id = %s",
        [dataset],
    ).fetchone()
    if row is None:
        return None
    organization, base, source, version, content, passed, raised = row
    entry = None if content is None else entry_from_canonical(content)
    contract = _contract(source)
    return Resource(
        dataset=dataset,
        organization=organization,
        base=base,
        entry_version=version,
        secrecy_passed=passed,
        share=None if entry is None else entry.share.type,
        open=None if entry is None else entry.open.type,
        fields=labels_of(contract, entry, raised or {}),
        key=contract.key,
    )


@lru_cache(_CONTRACTS_REMEMBERED)  # a registered version never changes
def _contract(source: str) -> Contract:
    return parse_contract(source)
