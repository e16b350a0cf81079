"""Departments' own access to the topics in Kafka follows the hub's rows: given and taken within about a second.

One process of all keeps it, as long as its connection to the store lasts; another takes over then. What it believes to
stand in the cluster is read from there once in a while, so a rule that somebody else made or took away is put right.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from psycopg import Connection, OperationalError

from hub.beside import going_on_beside
from hub.errors import LogUnavailable
from hub.exchange.kafka_log_rules import KafkaRules, Rule
from hub.observations import StoreLost, TopicAccessChanged, TopicAccessFailed, observe
from hub.store.errors import StoreError
from hub.topic_access_store import held_alone, wanted_rules

LOOK_SECONDS: Final = 1.0
COMPARE_SECONDS: Final = 60.0


class TopicAccess:
    """The rules of a cluster, kept as the store wants them.

    Args:
        rules: of the cluster.
        issuer: whose clients departments are.
    """

    def __init__(self, rules: KafkaRules, issuer: str) -> None:
        self._rules = rules
        self._issuer = issuer
        self._kept: frozenset[Rule] | None = None
        self._compare_at = 0.0

    def turn(self, conn: Connection) -> None:
        """Give what is missing and take what is too much; what is taken goes first.

        Raises:
            LogUnavailable: not done, or not all of it; the next turn goes on.
        """
        wanted = wanted_rules(conn, self._issuer)
        if wanted == self._kept and time.monotonic() < self._compare_at:
            return
        self._kept = None
        given = self._rules.given()
        self._rules.take(given - wanted)
        self._rules.give(wanted - given)
        self._kept, self._compare_at = wanted, time.monotonic() + COMPARE_SECONDS
        if given != wanted:
            observe(TopicAccessChanged(given=len(wanted - given), taken=len(given - wanted)))


@contextmanager
def keeping_access(
    opened: Callable[[], AbstractContextManager[Connection]], access: TopicAccess, look_seconds: float = LOOK_SECONDS
) -> Generator[None]:
    """Keep it on a thread of its own until the block ends.

    Args:
        opened: a connection in autocommit; opened anew where it was lost.
        access: what to keep.
        look_seconds: between two looks at the store.
    """

    def turns(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                with opened() as conn:
                    _keep(conn, access, stopping, look_seconds)
            except (OperationalError, StoreError, LogUnavailable) as error:
                observe(StoreLost(type(error).__name__, look_seconds))
            except Exception as error:  # noqa: BLE001 - a defect here must not leave the rules to themselves in silence
                observe(TopicAccessFailed(type(error).__name__, look_seconds))
            stopping.wait(look_seconds)

    with going_on_beside("topic-access", turns):
        yield


def _keep(conn: Connection, access: TopicAccess, stopping: threading.Event, look_seconds: float) -> None:
    """Wait to be the one who keeps them, then keep them as long as the connection lasts."""
    while not held_alone(conn):
        if stopping.wait(look_seconds):
            return
    while not stopping.is_set():
        access.turn(conn)
        stopping.wait(look_seconds)
