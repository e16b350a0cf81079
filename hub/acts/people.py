"""Acts on people's accounts: who there is, what they may do, how far they are trusted, and that they no longer are.

Nobody gives himself anything: role, tier and an end of a suspension come from another natural person, and a second
account of the same person is the same person. The first administrator is made on the operator's machine, where no
other can be yet. Names and logins stand in no leaf.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg import Connection

from catalog.caller import Caller, Role, same_person
from catalog.errors import OrganizationUnknown
from catalog.store import find_organization
from hub.identity import passwords, person_store, revocation_store
from hub.identity.errors import AdministratorThere, OtherPersonNeeded, PersonUnknown, PersonWrong
from hub.identity.people import ROLES
from hub.identity.person_store import PersonAccount
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.batch import uuid7

OPERATOR: Final = Caller("operator")  # who types on the operator's machine before anyone has an account
_ADMINISTRATOR: Final[frozenset[Role]] = frozenset({"administrator"})
APPROVAL_MAX: Final = timedelta(days=3 * 366)
PEOPLE_MAX: Final = 1_000
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,63}")
NAME_CHARACTERS_MAX = 100
SUBJECT_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class NewPerson:
    """An account to be made.

    Args:
        login: what its owner types; it is compared exactly.
        display_name: as others see it.
        organization: that the account is bound to, if any.
        roles: what it may do.
        person_of: login of another account of the same natural person.
        signs_in: whether it gets a password here; without one it signs in through a linked identity alone.
    """

    login: str
    display_name: str
    organization: str | None = None
    roles: frozenset[Role] = frozenset()
    person_of: str | None = None
    signs_in: bool = True


@dataclass(frozen=True, slots=True)
class AddedPerson:
    """The account made, and its password, which exists here and nowhere else."""

    account: PersonAccount
    password: str | None


def add_first_administrator(conn: Connection, new: NewPerson, now: datetime) -> AddedPerson:
    """Make the first administrator; the operator's machine alone offers this.

    Raises:
        AdministratorThere: there is one, who can add others.
    """
    if person_store.has_administrator(conn):
        raise AdministratorThere
    return _add(conn, OPERATOR, new, new.roles | _ADMINISTRATOR, now)


def add_person(conn: Connection, actor: Caller, new: NewPerson, now: datetime) -> AddedPerson:
    """Make an account.

    Raises:
        RoleNeeded: the actor is no administrator.
        PersonWrong, LoginTaken, OrganizationUnknown, PersonUnknown: what is wrong with the account.
        OtherPersonNeeded: roles for another account of the actor's own.
    """
    actor.require("administrator")
    return _add(conn, actor, new, new.roles, now)


def change_roles(
    conn: Connection, actor: Caller, account: str, give: frozenset[Role], take: frozenset[Role], now: datetime
) -> PersonAccount:
    """Give roles and take others; what is in both is taken.

    Raises:
        RoleNeeded, PersonUnknown: as their names say.
        OtherPersonNeeded: a role for oneself.
    """
    actor.require("administrator")
    found = locked(conn, account)
    _check_roles(give | take)
    if give - set(found.roles) - take:
        _require_other(actor, found, "give a role")
    roles = [one for one in ROLES if (one in found.roles or one in give) and one not in take]
    person_store.set_roles(conn, account, list(roles))
    _leaf(conn, actor, "person.roles_changed", account, now, rules=tuple(roles))
    return locked(conn, account)


def approve(conn: Connection, actor: Caller, account: str, since: datetime, until: datetime, now: datetime) -> None:
    """Give tier approved for a term.

    Raises:
        RoleNeeded, PersonUnknown, OtherPersonNeeded: as their names say.
        PersonWrong: the term is empty, over, or longer than three years.
    """
    actor.require("administrator")
    found = locked(conn, account)
    _require_other(actor, found, "approve")
    if not since < until or until <= now or until - since > APPROVAL_MAX:
        raise PersonWrong(field="approved_until", rule=f"from < until, until > now, {APPROVAL_MAX.days} days at most")
    person_store.set_approval(conn, account, since, until)
    _leaf(conn, actor, "person.approved", account, now, version=f"{since.isoformat()}/{until.isoformat()}")


def end_approval(conn: Connection, actor: Caller, account: str, now: datetime) -> None:
    """Take tier approved back; it is gone at the next request."""
    actor.require("administrator")
    locked(conn, account)
    person_store.set_approval(conn, account, None, None)
    _leaf(conn, actor, "person.approval_ended", account, now)


def suspend(conn: Connection, actor: Caller, account: str, reason: str, now: datetime) -> None:
    """Let an account do nothing more, from the next request on: itself, its applications and all tokens given out."""
    actor.require("administrator")
    found = locked(conn, account)
    if found.suspended_at is None:
        person_store.set_suspended(conn, account, now)
    revocation_store.revoke_sign_ins(conn, account, now)
    _leaf(conn, actor, "person.suspended", account, now, reason=reason)


def resume(conn: Connection, actor: Caller, account: str, reason: str, now: datetime) -> None:
    """End a suspension; tokens given out before it stay revoked.

    Raises:
        RoleNeeded, PersonUnknown, OtherPersonNeeded: as their names say.
    """
    actor.require("administrator")
    found = locked(conn, account)
    _require_other(actor, found, "resume")
    person_store.set_suspended(conn, account, None)
    _leaf(conn, actor, "person.resumed", account, now, reason=reason)


def reset_password(conn: Connection, actor: Caller, account: str, now: datetime) -> str:
    """A new password that nobody chose, to be told its owner, who changes it; every sign-in of the account ends."""
    actor.require("administrator")
    locked(conn, account)
    password = passwords.made_up()
    person_store.set_password_hash(conn, account, passwords.hash_of(password))
    revocation_store.revoke_sign_ins(conn, account, now)
    _leaf(conn, actor, "person.password_reset", account, now)
    return password


def change_password(conn: Connection, actor: Caller, password: str, now: datetime) -> None:
    """Choose one's own password, after the present one was shown; every sign-in of the account ends."""
    account = _own(actor)
    person_store.set_password_hash(conn, account, passwords.hash_of(password))
    revocation_store.revoke_sign_ins(conn, account, now)
    _leaf(conn, actor, "person.password_changed", account, now)


def link_identity(conn: Connection, actor: Caller, account: str, issuer: str, subject: str, now: datetime) -> None:
    """Say that another issuer's subject is this account.

    Raises:
        RoleNeeded, PersonUnknown, OtherPersonNeeded: as their names say.
    """
    actor.require("administrator")
    found = locked(conn, account)
    _require_other(actor, found, "link an identity")
    for name, value in (("issuer", issuer), ("subject", subject)):
        if not 0 < len(value) <= SUBJECT_CHARACTERS_MAX or "\x00" in value:
            raise PersonWrong(field=name, rule=f"1..{SUBJECT_CHARACTERS_MAX} characters")
    person_store.link_identity(conn, issuer, subject, now, account=account, application=None)
    _leaf(conn, actor, "person.identity_linked", account, now)


def link_first_administrator(conn: Connection, account: str, issuer: str, subject: str, now: datetime) -> None:
    """The same for the only administrator, whom no other can link; the operator's machine alone offers this."""
    person_store.link_identity(conn, issuer, subject, now, account=account, application=None)
    record(conn, OPERATOR, "person.identity_linked", account, now)


def record(conn: Connection, actor: Caller, action: str, account: str, now: datetime) -> None:
    """A leaf of what was done to an account elsewhere."""
    _leaf(conn, actor, action, account, now)


def require_other(conn: Connection, actor: Caller, account: str, act: str) -> None:
    """Refuse what nobody does for himself.

    Raises:
        PersonUnknown, OtherPersonNeeded: as their names say.
    """
    _require_other(actor, locked(conn, account), act)


def people(conn: Connection, actor: Caller, limit: int, after: str = "") -> list[PersonAccount]:
    """A page of accounts by login, for administrators and auditors."""
    actor.require("administrator", "auditor")
    return person_store.list_accounts(conn, min(limit, PEOPLE_MAX), after)


def _add(conn: Connection, actor: Caller, new: NewPerson, roles: frozenset[Role], now: datetime) -> AddedPerson:
    _check(conn, new)
    _check_roles(roles)
    account = uuid7(now)
    person = uuid7(now)
    if new.person_of is not None:
        other = person_store.find_by_login(conn, new.person_of)
        if other is None:
            raise PersonUnknown
        person = other.person
        if roles and same_person(actor, f"person:{other.id}", other.person):
            raise OtherPersonNeeded(act="give a role")
    made = PersonAccount(
        id=account,
        login=new.login,
        display_name=new.display_name,
        organization=new.organization,
        person=person,
        roles=[one for one in ROLES if one in roles],
        approved_from=None,
        approved_until=None,
        created_at=now,
        suspended_at=None,
    )
    password = passwords.made_up() if new.signs_in else None
    person_store.add_account(conn, made, None if password is None else passwords.hash_of(password))
    _leaf(conn, actor, "person.added", account, now, rules=tuple(made.roles), organization=new.organization)
    return AddedPerson(made, password)


def _check(conn: Connection, new: NewPerson) -> None:
    if not _LOGIN.fullmatch(new.login):
        raise PersonWrong(field="login", rule=_LOGIN.pattern)
    name = new.display_name
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or "\x00" in name:
        raise PersonWrong(field="display_name", rule=f"1..{NAME_CHARACTERS_MAX} characters")
    if new.organization is not None and find_organization(conn, new.organization) is None:
        raise OrganizationUnknown(organization=new.organization)


def _check_roles(roles: frozenset[Role]) -> None:
    if not roles <= set(ROLES):
        raise PersonWrong(field="roles", rule=" | ".join(ROLES))


def locked(conn: Connection, account: str) -> PersonAccount:
    """An account, locked until the transaction ends.

    Raises:
        PersonUnknown: there is none.
    """
    found = person_store.find_account(conn, account, locked=True)
    if found is None:
        raise PersonUnknown
    return found


def _require_other(actor: Caller, account: PersonAccount, act: str) -> None:
    if same_person(actor, f"person:{account.id}", account.person):
        raise OtherPersonNeeded(act=act)


def _own(actor: Caller) -> str:
    """The account behind a caller that is a person."""
    kind, _, account = actor.id.partition(":")
    if kind != "person":
        raise PersonUnknown
    return str(UUID(account))


def _leaf(
    conn: Connection,
    actor: Caller,
    action: str,
    account: str,
    now: datetime,
    *,
    version: str = "",
    rules: tuple[str, ...] = (),
    organization: str | None = None,
    reason: str = "",
) -> None:
    leaf = Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=organization or "",
        object=f"person:{account}",
        object_version=version,
        rules=rules,
        confidential={"reason": reason},
    )
    append(conn, leaf, now)
