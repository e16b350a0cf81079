"""People and organizations of a Keycloak realm: made there, found there, disabled, their sessions ended.

What a person may do is not said there: the realm says who signs in, and the hub's own rows say the rest. What the realm
knows of roles and organization fills in a new account's row in advance, for an administrator to look at and confirm.
"""

from dataclasses import dataclass
from typing import Any, Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from catalog.caller import Role
from hub.identity import passwords
from hub.identity.errors import KeycloakFailed
from hub.identity.keycloak_realm import KeycloakRealm
from hub.identity.people import ROLES

DOMAIN: Final = "organization.hub.internal"  # Keycloak asks for a domain; nobody's mail is there
ORGANIZATIONS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class RealmPerson:
    """A person as the realm knows her.

    Args:
        subject: ``sub`` of her tokens.
        login: in lower case, as Keycloak keeps it.
        name: as others see it.
        roles: those of her realm roles that are roles of the hub.
        organization: the one she is a member of; None without any, or with several.
    """

    subject: str
    login: str
    name: str
    roles: tuple[Role, ...]
    organization: str | None


@dataclass(frozen=True, slots=True)
class MadePerson:
    """A person that was made, and the password for her first sign-in, which she then replaces."""

    subject: str
    password: str


class KeycloakPeople:
    """The people of a realm."""

    def __init__(self, realm: KeycloakRealm) -> None:
        self._realm = realm

    @property
    def issuer(self) -> str:
        """As the realm's tokens name it."""
        return self._realm.issuer

    def add(self, login: str, name: str, organization: str | None) -> MadePerson:
        """Make a person; a member of the organization, where the realm has one of this alias.

        Raises:
            KeycloakFailed: the login is taken there, or Keycloak did not do it.
        """
        password = passwords.made_up()
        payload = {
            "username": login,
            "enabled": True,
            "firstName": name,
            "credentials": [{"type": "password", "value": password, "temporary": True}],
        }
        with self._realm.asked("make the person") as admin:
            made = str(admin.create_user(payload))
            try:
                found = None if organization is None else _organization(admin, organization)
                if found is not None:
                    admin.organization_user_add(made, found)
            except KeycloakError:
                admin.delete_user(made)
                raise
        return MadePerson(made, password)

    def remove(self, subject: str) -> None:
        """Take a person away, with all her sessions."""
        with self._realm.asked("remove the person") as admin:
            admin.delete_user(subject)

    def find(self, login: str) -> RealmPerson:
        """A person by her login.

        Raises:
            KeycloakFailed: there is none, or Keycloak did not answer.
        """
        with self._realm.asked("find the person") as admin:
            subject = admin.get_user_id(login)
            if subject is None:
                raise KeycloakFailed(asked="find the person", problem="it has none of this login")
            user = admin.get_user(subject)
            roles = {role["name"] for role in admin.get_realm_roles_of_user(subject)}
            organizations = [one["alias"] for one in admin.get_user_organizations(subject)]
        return RealmPerson(
            subject=str(subject),
            login=str(user["username"]),
            name=" ".join(part for part in (user.get("firstName"), user.get("lastName")) if part),
            roles=tuple(role for role in ROLES if role in roles),
            organization=organizations[0] if len(organizations) == 1 else None,
        )

    def set_enabled(self, subject: str, *, enabled: bool) -> None:
        """Let a person sign in, or not any more; disabling ends her sessions there."""
        with self._realm.asked("enable the person" if enabled else "disable the person") as admin:
            admin.update_user(subject, {"enabled": enabled})
            if not enabled:
                admin.user_logout(subject)

    def reset_password(self, subject: str) -> str:
        """Another password for one sign-in, after which she chooses her own; her sessions there end."""
        password = passwords.made_up()
        with self._realm.asked("replace the password") as admin:
            admin.set_user_password(subject, password, temporary=True)
            admin.user_logout(subject)
        return password

    def add_organization(self, organization: str, name: str) -> None:
        """Make an organization, whose alias is its id here; its people become members as they are made.

        Raises:
            KeycloakFailed: it is there already, or Keycloak did not do it.
        """
        domain = {"name": f"{organization}.{DOMAIN}", "verified": False}
        payload = {"name": name, "alias": organization, "enabled": True, "domains": [domain]}
        with self._realm.asked("make the organization") as admin:
            admin.create_organization(payload)


def _organization(admin: KeycloakAdmin, alias: str) -> str | None:
    """Keycloak's id of an organization; its search is for names and domains, so the alias is compared here."""
    query: Any = {"search": f"{alias}.{DOMAIN}", "exact": True, "max": ORGANIZATIONS_MAX}
    found = admin.get_organizations(query)
    return next((str(one["id"]) for one in found if one["alias"] == alias), None)
