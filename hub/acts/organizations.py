"""Acts of the machine's operator: organizations, their tokens, mandates. Each leaves its leaf.

They come before any account is there to act as, so they are the operator's: whoever may type commands on the hub's
machine. Who that was is for the machine to know; the ledger keeps that it was done, and when.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog import store as catalog_store
from catalog.caller import Caller
from catalog.errors import DatasetUnknown, OrganizationUnknown
from catalog.organization import Organization
from hub.identity import organization_tokens
from hub.identity.organization_tokens import Issued
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append

OPERATOR: Final = Caller("operator", roles=frozenset({"operator"}))
_NONE: Final[Mapping[str, str]] = {}


def add_organization(conn: Connection, made: Organization, days: int, now: datetime) -> Issued:
    """Register an organization with its first token.

    Raises:
        OrganizationExists: its id is taken.
    """
    catalog_store.add_organization(conn, made)
    _tell(conn, "organization.added", f"organization:{made.id}", now)
    return issue_token(conn, made.id, days, now)


def issue_token(conn: Connection, organization: str, days: int, now: datetime) -> Issued:
    """Issue a token; raises as ``organization_tokens.issue``."""
    issued = organization_tokens.issue(conn, organization, now, days)
    until = issued.expires_at.isoformat(timespec="seconds")
    _tell(conn, "organization.token_issued", f"organization:{organization}/{issued.id}", now, version=until)
    return issued


def revoke_token(conn: Connection, organization: str, token: str, now: datetime) -> None:
    """End a token; raises as ``organization_tokens.revoke``."""
    organization_tokens.revoke(conn, organization, token, now)
    _tell(conn, "organization.token_revoked", f"organization:{organization}/{token}", now)


def give_mandate(conn: Connection, sender: str, dataset: str, basis: str, now: datetime) -> str:
    """Let an organization hand in another's dataset; whose it is.

    Raises:
        DatasetUnknown, OrganizationUnknown: there is none.
    """
    found = catalog_store.find_dataset(conn, dataset)
    if found is None:
        raise DatasetUnknown(dataset=dataset)
    if catalog_store.find_organization(conn, sender) is None:
        raise OrganizationUnknown(organization=sender)
    catalog_store.add_mandate(conn, sender, found.organization, dataset, basis)
    _tell(conn, "mandate.given", f"mandate:{sender}/{dataset}", now, confidential={"reason": basis})
    return found.organization


def revoke_mandate(conn: Connection, sender: str, dataset: str, now: datetime) -> None:
    """End a mandate.

    Raises:
        MandateUnknown: there is none.
    """
    catalog_store.revoke_mandate(conn, sender, dataset, now)
    _tell(conn, "mandate.revoked", f"mandate:{sender}/{dataset}", now)


def _tell(
    conn: Connection,
    action: str,
    subject: str,
    now: datetime,
    *,
    version: str = "",
    confidential: Mapping[str, str] = _NONE,
) -> None:
    leaf = Leaf(action, OPERATOR.id, object=subject, object_version=version, confidential=confidential)
    append(conn, leaf, now)
