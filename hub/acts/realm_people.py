"""Acts on people and organizations in the realm of Keycloak that is the hub's issuer; administrators alone.

As with an application's client: the realm is told within the transaction, after the leaf, so what it refuses leaves
nothing here, and a person who was made and cannot be linked is removed again.
"""

from collections.abc import Callable
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
    found = people.locked(conn, account)
    return _made(realm, found, lambda subject: people.link_identity(conn, actor, found.id, realm.issuer, subject, now))


def add_first_administrator(conn: Connection, realm: KeycloakPeople, account: str, now: datetime) -> MadePerson:
    """The same for the first administrator, whom no other can link; the operator's machine alone offers this.

    Raises:
        AdministratorThere: another administrator is there, or this one signs in through the realm already.
        PersonUnknown, KeycloakFailed: as their names say.
    """
    found = people.locked(conn, account)
    if person_store.administrators(conn) != [account] or person_store.subject_of(conn, realm.issuer, account):
        raise AdministratorThere
    link = people.link_first_administrator
    return _made(realm, found, lambda subject: link(conn, found.id, realm.issuer, subject, now))


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
    people.record(conn, actor, f"person.sign_in_{'enabled' if enabled else 'disabled'}", account, now)
    realm.set_enabled(subject, enabled=enabled)


def reset_password(conn: Connection, actor: Caller, realm: KeycloakPeople, account: str, now: datetime) -> str:
    """Another password for one sign-in in the realm, shown this once."""
    actor.require("administrator")
    subject = _subject(conn, realm, account)
    people.record(conn, actor, "person.password_reset", account, now)
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
    of = actor.organization or ""
    append(conn, Leaf("organization.realm_added", actor.id, of, object=f"organization:{organization}"), now)
    realm.add_organization(organization, found.name_zh)


def _made(realm: KeycloakPeople, account: PersonAccount, link: Callable[[str], None]) -> MadePerson:
    """A person of the realm, linked by her subject; removed again where she cannot be."""
    made = realm.add(account.login, account.display_name, account.organization)
    try:
        link(made.subject)
    except BaseException:
        realm.remove(made.subject)
        raise
    return made


def _subject(conn: Connection, realm: KeycloakPeople, account: str) -> str:
    found = person_store.subject_of(conn, realm.issuer, people.locked(conn, account).id)
    if found is None:
        raise PersonUnknown
    return found
