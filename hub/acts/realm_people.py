"""Acts on people and organizations in the realm of Keycloak that is the hub's issuer; administrators alone.

As with an application's client: the realm is told within the transaction, after the leaf, so what it refuses leaves
nothing here, and a person who was made and cannot be linked is removed again.
"""

from dataclasses import replace
from datetime import datetime

from psycopg import Connection

from catalog.caller import Caller
from catalog.errors import OrganizationUnknown
from catalog.store import find_organization
from hub.acts import people
from hub.acts.people import NewPerson
from hub.identity import person_store
from hub.identity.errors import AdministratorThere, PersonUnknown
from hub.identity.keycloak_people import KeycloakPeople, MadePerson
from hub.identity.person_store import PersonAccount
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append


def add_person(conn: Connection, actor: Caller, realm: KeycloakPeople, account: str, now: datetime) -> MadePerson:
    """Make an account's person in the realm and link her. Her password is shown this once.

    Raises:
        RoleNeeded, PersonUnknown, OtherPersonNeeded, KeycloakFailed: as their names say.
    """
    actor.require("administrator")
    found = _account(conn, account)
    made = realm.add(found.login, found.display_name, found.organization)
    try:
        people.link_identity(conn, actor, account, realm.issuer, made.subject, now)
    except BaseException:
        realm.remove(made.subject)
        raise
    return made


def add_first_administrator(conn: Connection, realm: KeycloakPeople, account: str, now: datetime) -> MadePerson:
    """The same for the first administrator, whom no other can link; the operator's machine alone offers this.

    Raises:
        AdministratorThere: another administrator is there, or this one signs in through the realm already.
        PersonUnknown, KeycloakFailed: as their names say.
    """
    found = _account(conn, account)
    if person_store.administrators(conn) != [account] or person_store.subject_of(conn, realm.issuer, account):
        raise AdministratorThere
    made = realm.add(found.login, found.display_name, found.organization)
    try:
        people.link_first_administrator(conn, account, realm.issuer, made.subject, now)
    except BaseException:
        realm.remove(made.subject)
        raise
    return made


def adopt(conn: Connection, actor: Caller, realm: KeycloakPeople, new: NewPerson, now: datetime) -> PersonAccount:
    """Make the account of a person whom the realm knows already, and link them.

    Args:
        conn: to the store.
        actor: an administrator.
        realm: that knows her by the account's login.
        new: the account as the administrator confirmed it, whatever ``proposed`` said; it gets no password here.
        now: when.

    Raises:
        RoleNeeded, PersonWrong, LoginTaken, OrganizationUnknown, KeycloakFailed: as their names say.
    """
    actor.require("administrator")
    subject = realm.find(new.login).subject
    made = people.add_person(conn, actor, replace(new, signs_in=False), now).account
    people.link_identity(conn, actor, made.id, realm.issuer, subject, now)
    return made


def proposed(conn: Connection, actor: Caller, realm: KeycloakPeople, login: str) -> NewPerson:
    """A new account as the realm's roles and organization fill it in; nothing is stored.

    An organization the hub does not know is left out: it is for an administrator to say which one is meant.
    """
    actor.require("administrator")
    found = realm.find(login)
    known = found.organization is not None and find_organization(conn, found.organization) is not None
    return NewPerson(
        found.login, found.name or found.login, found.organization if known else None, frozenset(found.roles)
    )


def set_person_enabled(
    conn: Connection, actor: Caller, realm: KeycloakPeople, account: str, now: datetime, *, enabled: bool
) -> None:
    """Let a person sign in, or not any more. Tokens she has end by themselves; suspending here ends them at once.

    Raises:
        RoleNeeded, PersonUnknown, KeycloakFailed: as their names say.
        OtherPersonNeeded: letting oneself sign in again.
    """
    actor.require("administrator")
    if enabled:
        people.require_other(conn, actor, account, "enable")
    subject = _subject(conn, realm, account)
    _leaf(conn, actor, f"person.sign_in_{'enabled' if enabled else 'disabled'}", f"person:{account}", now)
    realm.set_enabled(subject, enabled=enabled)


def reset_password(conn: Connection, actor: Caller, realm: KeycloakPeople, account: str, now: datetime) -> str:
    """Another password for one sign-in in the realm, shown this once."""
    actor.require("administrator")
    subject = _subject(conn, realm, account)
    _leaf(conn, actor, "person.password_reset", f"person:{account}", now)
    return realm.reset_password(subject)


def add_organization(conn: Connection, actor: Caller, realm: KeycloakPeople, organization: str, now: datetime) -> None:
    """Make an organization of the hub's in the realm.

    Raises:
        RoleNeeded, OrganizationUnknown, KeycloakFailed: as their names say.
    """
    actor.require("administrator")
    found = find_organization(conn, organization)
    if found is None:
        raise OrganizationUnknown(organization=organization)
    _leaf(conn, actor, "organization.realm_added", f"organization:{organization}", now)
    realm.add_organization(organization, found.name_zh)


def _account(conn: Connection, account: str) -> PersonAccount:
    found = person_store.find_account(conn, account, locked=True)
    if found is None:
        raise PersonUnknown
    return found


def _subject(conn: Connection, realm: KeycloakPeople, account: str) -> str:
    found = person_store.subject_of(conn, realm.issuer, _account(conn, account).id)
    if found is None:
        raise PersonUnknown
    return found


def _leaf(conn: Connection, actor: Caller, action: str, subject: str, now: datetime) -> None:
    append(conn, Leaf(action=action, actor=actor.id, actor_org=actor.organization or "", object=subject), now)
