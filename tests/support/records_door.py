"""A running door over two datasets in force, places for everyone and residents under one department's grant."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg import sql
from release_maker import MASKED, PLACE, RESIDENT, give, places, prepare, residents, take
from running_door import RunningDoor, running

from catalog.grant import Quota
from hub.identity.organization_tokens import issue
from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect


@contextmanager
def records_door(cluster: Cluster, template: str, name: str) -> Generator[RunningDoor]:
    """The door, on a database of this name that is gone afterwards; ren-she has the grant."""
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(name), sql.Identifier(ROLE), sql.Identifier(template)))
        with running(cluster.url(name)) as started:
            _populate(started)
            yield started
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _populate(door: RunningDoor) -> None:
    now = datetime.now(UTC)
    with connect(door.database_url, "test", autocommit=True) as conn:
        prepare(conn, RESIDENT, PLACE)
        for organization in ("ren-she", "min-zheng"):
            door.tokens[organization] = issue(conn, organization, now).token
        take(conn, RESIDENT, residents(30))
        take(conn, PLACE, places(30))
        rows = {"field": "division_code", "prefix": "4201"}
        give(conn, MASKED, now, "organization:ren-she", RESIDENT, rows, Quota(requests=100_000))
