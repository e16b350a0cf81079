"""Fixtures of the acceptance tests: a running HTTP door over a database of the test's own."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import running_stack
from psycopg import sql
from running_door import RunningDoor, populate, running

from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect


@pytest.fixture(autouse=True)
def _log_of_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where a stack is to be used, commands that a test runs keep their log in its Kafka too."""
    with running_stack.log_settings() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(f"HUB_{name.upper()}", value)
        yield


@pytest.fixture(scope="module")
def door(cluster: Cluster, migrated_template: str) -> Iterator[RunningDoor]:
    """A door with everything as it is by default, shared by a file's tests: each makes batches of its own."""
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE shared_door OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(ROLE), sql.Identifier(migrated_template)))
        with running(cluster.url("shared_door")) as started:
            populate(started)
            yield started
        admin.execute("DROP DATABASE shared_door WITH (FORCE)")


@pytest.fixture
def fresh_door(database_url: str) -> Iterator[RunningDoor]:
    """The same for one test."""
    with running(database_url) as started:
        populate(started)
        yield started


@pytest.fixture
def a_door(database_url: str) -> Callable[..., Any]:
    """Makes a door with settings of the test's own: ``with a_door(waiting_max=1) as door``."""

    @contextmanager
    def make(**changes: object) -> Generator[RunningDoor]:
        with running(database_url, **changes) as started:
            populate(started)
            yield started

    return make
