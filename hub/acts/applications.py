"""Acts on applications and their keys.

An administrator may act on all of them; a developer or steward on those of his organization; a developer on those of
his own account. To everyone else an application is not there. What stands for an organization itself is the
administrator's alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.errors import OrganizationUnknown
from catalog.store import find_organization
from hub.identity import application_keys, application_store, revocation_store
from hub.identity.application_keys import KEY_DAYS, IssuedKey
from hub.identity.application_store import Application, KeyRow
from hub.identity.caller_store import client_subject
from hub.identity.embedded_issuer_request import check_redirect_uris
from hub.identity.errors import ApplicationUnknown, ApplicationWrong
from hub.identity.person_store import link_identity
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.batch import uuid7

APPLICATIONS_MAX: Final = 1_000
APPLICATIONS_OF_ACCOUNT_MAX: Final = 20
NAME_CHARACTERS_MAX: Final = 100
SUBJECT_CHARACTERS_MAX: Final = 240


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An application to be made.

    Args:
        name: as people see it who are asked to consent.
        organization: the owner; None for the actor's own account.
        public_client: it runs where it cannot keep a key, and gets none.
        redirect_uris: where people who sign in may be sent back to.
    """

    name: str
    organization: str | None = None
    public_client: bool = False
    redirect_uris: tuple[str, ...] = ()


def add_application(conn: Connection, actor: Caller, new: NewApplication, now: datetime) -> Application:
    """Register an application.

    Raises:
        RoleNeeded: the actor may not own it, nor make one for that organization.
        ApplicationWrong, OrganizationUnknown: what is wrong with it.
    """
    account = _owner(actor, new.organization)
    if not new.name.strip() or len(new.name) > NAME_CHARACTERS_MAX or "\x00" in new.name:
        raise ApplicationWrong(field="name", rule=f"1..{NAME_CHARACTERS_MAX} characters")
    check_redirect_uris(list(new.redirect_uris))
    if new.organization is not None and find_organization(conn, new.organization) is None:
        raise OrganizationUnknown(organization=new.organization)
    if account is not None:
        own = application_store.list_applications(conn, APPLICATIONS_OF_ACCOUNT_MAX, account=account)
        if len(own) >= APPLICATIONS_OF_ACCOUNT_MAX:
            raise ApplicationWrong(field="account", rule=f"at most {APPLICATIONS_OF_ACCOUNT_MAX} applications")
    made = Application(
        id=uuid7(now),
        name=new.name,
        organization=new.organization,
        account=account,
        stands_for_organization=False,
        public_client=new.public_client,
        redirect_uris=list(new.redirect_uris),
        created_at=now,
        suspended_at=None,
    )
    application_store.add_application(conn, made)
    _leaf(conn, actor, "application.added", made, now)
    return made


def application(conn: Connection, actor: Caller, application_id: str) -> Application:
    """One application of the actor's.

    Raises:
        ApplicationUnknown: there is none, or none of theirs; the two look the same.
    """
    found = application_store.find_application(conn, application_id)
    if found is None or not (_may_act(actor, found) or "auditor" in actor.roles):
        raise ApplicationUnknown
    return found


def applications(conn: Connection, actor: Caller, limit: int, after: str | None = None) -> list[Application]:
    """A page of the actor's applications by id: all of them for administrators and auditors."""
    actor.require("administrator", "auditor", "developer", "steward")
    return application_store.list_applications(
        conn,
        min(limit, APPLICATIONS_MAX),
        after,
        everyone=bool(actor.roles & {"administrator", "auditor"}),
        organization=actor.organization if actor.roles & {"developer", "steward"} else None,
        account=_account_of(actor),
    )


def set_redirect_uris(
    conn: Connection, actor: Caller, application_id: str, redirect_uris: list[str], now: datetime
) -> Application:
    """Replace the addresses people may be sent back to."""
    found = _acted_on(conn, actor, application_id)
    check_redirect_uris(redirect_uris)
    application_store.set_redirect_uris(conn, found.id, redirect_uris)
    _leaf(conn, actor, "application.redirects_changed", found, now)
    return application(conn, actor, application_id)


def suspend(conn: Connection, actor: Caller, application_id: str, reason: str, now: datetime) -> None:
    """Let an application do nothing more, from the next request on: keys, tokens and sign-ins through it."""
    found = _acted_on(conn, actor, application_id)
    if found.suspended_at is None:
        application_store.set_application_suspended(conn, found.id, now)
    revocation_store.revoke_sign_ins_through(conn, found.id, now)
    _leaf(conn, actor, "application.suspended", found, now, reason=reason)


def resume(conn: Connection, actor: Caller, application_id: str, reason: str, now: datetime) -> None:
    """End a suspension; the administrator's alone, whoever suspended."""
    actor.require("administrator")
    found = _acted_on(conn, actor, application_id)
    application_store.set_application_suspended(conn, found.id, None)
    _leaf(conn, actor, "application.resumed", found, now, reason=reason)


def link_client(
    conn: Connection,
    actor: Caller,
    application_id: str,
    issuer: str,
    client: str,
    now: datetime,
    *,
    subject: str | None = None,
) -> None:
    """Say that a client of another issuer is this application; the administrator's alone.

    Args:
        conn: to the store.
        actor: who says it.
        application_id: of the application.
        issuer: as its tokens name it.
        client: its id there: people who sign in through it sign in through this application.
        now: when.
        subject: of its own tokens, where it asks for some without a person.

    Raises:
        ApplicationUnknown, RoleNeeded, ApplicationWrong: as their names say.
    """
    actor.require("administrator")
    found = _acted_on(conn, actor, application_id)
    for name, value in (("issuer", issuer), ("client", client), ("subject", "-" if subject is None else subject)):
        if not 0 < len(value) <= SUBJECT_CHARACTERS_MAX or "\x00" in value:
            raise ApplicationWrong(field=name, rule=f"1..{SUBJECT_CHARACTERS_MAX} characters")
    for one in (client_subject(client), subject):
        if one is not None:
            link_identity(conn, issuer, one, now, account=None, application=found.id)
    _leaf(conn, actor, "application.client_linked", found, now, version=client)


def record(conn: Connection, actor: Caller, action: str, application_id: str, now: datetime) -> None:
    """A leaf of what was done to an application elsewhere.

    Raises:
        ApplicationUnknown: there is none the actor may act on.
    """
    _leaf(conn, actor, action, _acted_on(conn, actor, application_id), now)


# Keys ----------------------------------------------------------------------------------------------------------------


def add_key(conn: Connection, actor: Caller, application_id: str, now: datetime, days: int = KEY_DAYS) -> IssuedKey:
    """Another key, shown once. Replacing one without a gap: add, put it in use, revoke the old one.

    Raises:
        ApplicationUnknown: as above.
        ApplicationWrong: a public client keeps no key.
        KeysTaken: it holds two live ones.
    """
    found = _acted_on(conn, actor, application_id)
    if found.public_client:
        raise ApplicationWrong(field="public_client", rule="it keeps no key")
    issued = application_keys.issue(conn, found.id, now, days)
    _leaf(conn, actor, "application.key_added", found, now, version=issued.id)
    return issued


def revoke_key(conn: Connection, actor: Caller, application_id: str, key: str, now: datetime) -> None:
    """End a key, named by its id, and the tokens issued for it, from the next request on."""
    found = _acted_on(conn, actor, application_id)
    application_keys.revoke(conn, found.id, key, now)
    _leaf(conn, actor, "application.key_revoked", found, now, version=key)


def keys(conn: Connection, actor: Caller, application_id: str) -> list[KeyRow]:
    """All keys of an application of the actor's, the newest first."""
    return application_store.list_keys(conn, application(conn, actor, application_id).id)


def _owner(actor: Caller, organization: str | None) -> str | None:
    """The account that owns, or None where the organization does."""
    if organization is None:
        actor.require("developer", "administrator")
        return _account_of(actor)
    if actor.organization == organization:
        actor.require("administrator", "developer", "steward")
    else:
        actor.require("administrator")
    return None


def _acted_on(conn: Connection, actor: Caller, application_id: str) -> Application:
    found = application_store.find_application(conn, application_id)
    if found is None or not _may_act(actor, found):
        raise ApplicationUnknown
    if found.stands_for_organization:
        actor.require("administrator")
    return found


def _may_act(actor: Caller, found: Application) -> bool:
    if "administrator" in actor.roles:
        return True
    if found.organization is not None:
        return found.organization == actor.organization and bool(actor.roles & {"developer", "steward"})
    return found.account == _account_of(actor) and "developer" in actor.roles


def _account_of(actor: Caller) -> str | None:
    kind, _, account = actor.id.partition(":")
    return account if kind == "person" else None


def _leaf(
    conn: Connection,
    actor: Caller,
    action: str,
    application: Application,
    now: datetime,
    *,
    version: str = "",
    reason: str = "",
) -> None:
    leaf = Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=application.organization or f"person:{application.account}",
        object=f"application:{application.id}",
        object_version=version,
        confidential={"reason": reason},
    )
    append(conn, leaf, now)
