"""Who asks: what identity knows of a caller and every decision starts from.

A token says who; organization, roles and tier are the hub's own rows, read anew at each request.
"""

from dataclasses import dataclass
from typing import Final, Literal

from catalog.errors import RoleNeeded

Role = Literal["administrator", "reviewer", "steward", "auditor", "developer", "operator"]
Tier = Literal["public", "registered", "approved", "department", "steward"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        id: opaque and without personal data: ``person:<uuid>``, ``application:<uuid>``, ``organization:<id>`` or
            ``public``.
        organization: on whose behalf; None for the public and for developers of their own.
        roles: what the caller may do.
        tier: what the caller may see, before any grant; stewardship of a dataset is decided with the dataset.
        person: the natural person behind the account, the same for two accounts of one person; None for applications.
        application: the application whose key or token was used.
    """

    id: str
    organization: str | None = None
    roles: frozenset[Role] = frozenset()
    tier: Tier = "public"
    person: str | None = None
    application: str | None = None

    @property
    def identified(self) -> bool:
        """Whether anyone is known to be asking."""
        return self.id != PUBLIC_ID

    @property
    def holders(self) -> tuple[str, ...]:
        """The ids a grant of this caller may be made out to."""
        if not self.identified:
            return ()
        of_organization = () if self.organization is None else (f"organization:{self.organization}",)
        return tuple(dict.fromkeys((self.id, *of_organization)))

    def require(self, *roles: Role) -> None:
        """Refuse who has none of these roles.

        Raises:
            RoleNeeded: naming them.
        """
        if not self.roles & set(roles):
            raise RoleNeeded(roles=", ".join(roles))


PUBLIC_ID: Final = "public"
PUBLIC: Final = Caller(PUBLIC_ID)


def same_person(one: Caller, other_id: str, other_person: str | None) -> bool:
    """Whether two acts were one person's, also through two accounts: separation of duties looks here."""
    return one.id == other_id or (one.person is not None and one.person == other_person)
