"""Acts on organizations' public keys: who signs with what, from when until when, and who must."""

from collections.abc import Mapping
from datetime import datetime

from psycopg import Connection

from catalog import key_store
from catalog.caller import Caller
from catalog.errors import OrganizationUnknown
from catalog.key_errors import OrganizationKeyNeeded, OrganizationKeysTaken, OrganizationKeyUnknown
from catalog.organization_key import KEYS_MAX, OrganizationKey, make_key
from catalog.store import find_organization
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append


def add_key(
    conn: Connection,
    actor: Caller,
    organization: str,
    key_id: str,
    pem: str,
    valid_from: datetime,
    valid_until: datetime,
    now: datetime,
) -> OrganizationKey:
    """Register a public key. That it is the organization's is for the administrator to make sure of.

    Raises:
        OrganizationUnknown: there is no such organization.
        KeyUnreadable, OrganizationKeyWrong: it is no SM2 public key, or its id or term breaks a rule.
        OrganizationKeysTaken: two that have not ended are there.
        OrganizationKeyExists: the id is taken, or the key was registered before.
    """
    actor.require("administrator")
    key = make_key(organization, key_id, pem, valid_from, valid_until, now)
    _known(conn, organization)
    if key_store.count_not_ended(conn, organization, now) >= KEYS_MAX:
        raise OrganizationKeysTaken(organization=organization, keys_max=KEYS_MAX)
    key_store.add_key(conn, key)
    term = f"{valid_from.isoformat()}/{valid_until.isoformat()}"
    append(conn, _leaf("organization.key_added", actor, organization, key_id, term, key.fingerprint), now)
    return key


def revoke_key(conn: Connection, actor: Caller, organization: str, key_id: str, reason: str, now: datetime) -> None:
    """End a key before its time: a batch under it is refused from now on, also one that waits already.

    Raises:
        OrganizationKeyUnknown: there is none of this id that is not revoked.
    """
    actor.require("administrator")
    if not key_store.revoke_key(conn, organization, key_id, now):
        raise OrganizationKeyUnknown(organization=organization, key_id=key_id)
    confidential = {"reason": reason}
    append(
        conn, _leaf("organization.key_revoked", actor, organization, key_id, "revoked", confidential=confidential), now
    )


def require_signature(conn: Connection, actor: Caller, organization: str, *, required: bool, now: datetime) -> None:
    """Say whether an organization's batches are refused without a signature.

    Raises:
        OrganizationUnknown: there is no such organization.
        OrganizationKeyNeeded: it has no valid key to sign with.
    """
    actor.require("administrator")
    _known(conn, organization)
    rules = key_store.signing_rules(conn, organization)
    if required and not any(key.standing(now) == "valid" for key in rules.keys.values()):
        raise OrganizationKeyNeeded(organization=organization)
    key_store.set_signature_required(conn, organization, required=required)
    version = "required" if required else "optional"
    append(conn, _leaf("organization.signature_required", actor, organization, "", version), now)


def _known(conn: Connection, organization: str) -> None:
    if find_organization(conn, organization) is None:
        raise OrganizationUnknown(organization=organization)


def _leaf(
    action: str,
    actor: Caller,
    organization: str,
    key_id: str,
    version: str,
    fingerprint: str = "",
    confidential: Mapping[str, str] | None = None,
) -> Leaf:
    return Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=organization,
        object=f"organization-key:{organization}/{key_id}" if key_id else f"organization:{organization}",
        object_version=version,
        result_sm3=fingerprint,
        confidential=confidential or {},
    )
