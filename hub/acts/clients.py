"""Acts on the clients that stand for applications in the realm of another issuer; administrators alone.

The realm is told within the transaction, after the leaf: what it refuses leaves nothing here, and a client that was
made and cannot be linked is removed again.
"""

from datetime import datetime

from psycopg import Connection

from catalog.caller import Caller
from hub.acts import applications
from hub.identity.keycloak_clients import KeycloakClients, MadeClient


def add_client(
    conn: Connection, actor: Caller, clients: KeycloakClients, application_id: str, now: datetime
) -> MadeClient:
    """Make an application's client in the realm and link it. Its secret is shown this once.

    Raises:
        ApplicationUnknown, RoleNeeded, KeycloakFailed: as their names say.
    """
    actor.require("administrator")
    found = applications.application(conn, actor, application_id)
    made = clients.add(found.id, found.name)
    try:
        applications.link_client(conn, actor, found.id, clients.issuer, made.client, now, subject=made.subject)
    except BaseException:
        clients.remove(found.id)
        raise
    return made


def replace_secret(
    conn: Connection, actor: Caller, clients: KeycloakClients, application_id: str, now: datetime
) -> str:
    """Another secret, shown this once; the one before counts no more."""
    actor.require("administrator")
    applications.record(conn, actor, "application.client_secret_replaced", application_id, now)
    return clients.rotate(application_id)


def set_client_enabled(
    conn: Connection, actor: Caller, clients: KeycloakClients, application_id: str, now: datetime, *, enabled: bool
) -> None:
    """Let a client have tokens, or none any more. Those it has end by themselves; suspending ends them at once."""
    actor.require("administrator")
    action = "application.client_enabled" if enabled else "application.client_disabled"
    applications.record(conn, actor, action, application_id, now)
    clients.set_enabled(application_id, enabled=enabled)
