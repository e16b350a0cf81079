"""Rows of proposed grants: a content never changes, so an approval can be bound to its digest."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from catalog.request_store import is_uuid
from catalog.visible import Visible


@dataclass(frozen=True, slots=True)
class Proposal:
    """A grant that was proposed.

    Args:
        id: which the grant will have.
        request: the request it answers.
        dataset: id.
        content: canonical JSON of the grant.
        digest: SM3 of the content when it was proposed.
        proposed_by: account.
        person: behind it.
        proposed_at: when.
        state: open, approved or withdrawn.
        decided_by: who approved or withdrew.
        decided_at: when.
    """

    id: str
    request: str | None
    dataset: str
    content: str
    digest: str
    proposed_by: str
    person: str | None
    proposed_at: datetime
    state: str
    decided_by: str | None = None
    decided_at: datetime | None = None


def add_proposal(conn: Connection, proposal: Proposal) -> None:
    """Insert a proposal."""
    conn.execute(
        "INSERT INTO grant_proposal (id, request, dataset, content, digest, proposed_by, person, proposed_at, state)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            proposal.id,
            proposal.request,
            proposal.dataset,
            proposal.content,
            proposal.digest,
            proposal.proposed_by,
            proposal.person,
            proposal.proposed_at,
            proposal.state,
        ],
    )


def decide_proposal(conn: Connection, proposal: str, state: str, actor: str, now: datetime) -> None:
    """Approved or withdrawn."""
    conn.execute(
        "UPDATE grant_proposal SET state = %s, decided_by = %s, decided_at = %s WHERE id = %s",
        [state, actor, now, proposal],
    )


def lock_proposal(conn: Connection, proposal: str) -> Proposal | None:
    """One proposal by its id, which nobody else decides until the transaction ends."""
    if not is_uuid(proposal):
        return None
    with conn.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(
            "SELECT id::text, request::text, dataset, content, digest, proposed_by, person, proposed_at, state,"
            " decided_by, decided_at FROM grant_proposal WHERE id = %s FOR UPDATE",
            [proposal],
        ).fetchone()


def find_proposal(conn: Connection, proposal: str) -> Proposal | None:
    """One proposal by its id."""
    if not is_uuid(proposal):
        return None
    with conn.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(
            "SELECT id::text, request::text, dataset, content, digest, proposed_by, person, proposed_at, state,"
            " decided_by, decided_at FROM grant_proposal WHERE id = %s",
            [proposal],
        ).fetchone()


def list_proposals(
    conn: Connection, visible: Visible, *, state: str | None = None, after: str | None = None, limit: int = 100
) -> list[Proposal]:
    """The proposals a caller may know of: those on its organization's datasets, or all; by id, after the one named."""
    with conn.cursor(row_factory=class_row(Proposal)) as cursor:
        return cursor.execute(
            "SELECT id::text, request::text, dataset, content, digest, proposed_by, person, proposed_at, state,"
            " decided_by, decided_at FROM grant_proposal"
            " WHERE (%(all)s OR dataset IN (SELECT id FROM dataset WHERE organization = %(organization)s))"
            " AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(after)s::uuid IS NULL OR id > %(after)s)"
            " ORDER BY id LIMIT %(limit)s",
            {
                "all": visible.all,
                "organization": visible.organization,
                "state": state,
                "after": after,
                "limit": limit,
            },
        ).fetchall()
