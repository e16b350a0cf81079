"""A Kafka cluster as the log sees it: topics with their ids, offsets, sizes. Reached when it is first needed.

Names on the wire are the log's names behind ``options.prefix``; all here is said in the log's own names.
"""
# The checker's own stubs are of kafka-python 2.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import contextlib
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import (
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    UnknownBrokerIdError,
    UnknownTopicOrPartitionError,
)
from kafka.protocol.consumer import OffsetSpec

from hub.errors import LogUnavailable, TopicUnknown
from hub.exchange.log import Topic

Place = tuple[str, int]  # topic and partition
Client = TypeVar("Client")

MIB: Final = 1024 * 1024
SEGMENT_BYTES_MIN: Final = 64 * MIB  # sizes of partitions are told by segments, and swept by them
CONNECTING_SECONDS: Final = 0.05
ATTEMPTS: Final = 5  # to begin at a server, where there are several
FORMING_SECONDS_MAX: Final = 20.0  # how long a new topic may take until every partition has its leader
_LATEST, _EARLIEST = OffsetSpec.LATEST, OffsetSpec.EARLIEST


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to reach Kafka and how topics are made there.

    Args:
        servers: ``host:port``, by commas: where clients begin.
        security: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        mechanism: of SASL: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``.
        user: name of the hub's principal with SASL.
        password: its password.
        ca_file: certificates of authorities that are trusted, PEM; the system's own by default.
        prefix: put before the name of every topic and group.
        replication: copies of a new topic's messages.
        message_bytes_max: largest message of a new topic.
    """

    servers: str
    security: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    prefix: str = ""
    replication: int = 1
    message_bytes_max: int = 8 * MIB
    wait_seconds_max: float = 10.0

    def connected(self, make: Callable[..., Client]) -> Client:
        """A client of kafka-python, as soon as one of the servers answers.

        It asks one server at random for all the time it is given, and one that is silent would use that up: where there
        are several, it is given a part at a time.
        """
        deadline = time.monotonic() + self.wait_seconds_max
        while True:
            try:
                return make(**self.connection())
            except KafkaTimeoutError:
                if time.monotonic() >= deadline:
                    raise

    def connection(self) -> dict[str, Any]:
        """What every client of kafka-python is made with."""
        attempts = 1 if "," not in self.servers else ATTEMPTS
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "security_protocol": self.security,
            "request_timeout_ms": int(self.wait_seconds_max * 1000),
            "bootstrap_timeout_ms": int(self.wait_seconds_max * 1000 / attempts),
            "reconnect_backoff_max_ms": 1000,
        }
        if self.security.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        if self.ca_file is not None:
            options["ssl_cafile"] = self.ca_file
        return options


class KafkaCluster:
    """The cluster, over one administering client. Threads may share it."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._asking = threading.Lock()
        self._admin: KafkaAdminClient | None = None

    def wire(self, name: str) -> str:
        """A name as the cluster has it."""
        return self._options.prefix + name

    # Topics ----------------------------------------------------------------------------------------------------------

    def topics(self, names: Iterable[str] | None = None) -> list[Topic]:
        """The topics that are there, by name: all, or those of these names."""
        wanted = None if names is None else [self.wire(name) for name in names]
        described = self.ask(lambda admin: admin.describe_topics(wanted)) if wanted is None or wanted else []
        found = [_topic(self._options.prefix, one) for one in described if _is_there(self._options.prefix, one)]
        return sorted(found, key=lambda topic: topic.name)

    def topic(self, name: str) -> Topic:
        """One topic.

        Raises:
            TopicUnknown: there is none of this name.
        """
        found = self.topics([name])
        if not found:
            raise TopicUnknown(topic=name)
        return found[0]

    def make(self, name: str, partitions: int) -> Topic:
        """Make a topic, or find the one that is there; it can be written to when this returns."""
        made = {
            "num_partitions": partitions,
            "replication_factor": self._options.replication,
            "configs": {
                "cleanup.policy": "delete",
                # The log itself forgets, and only what every group has read.
                "retention.ms": "-1",
                "retention.bytes": "-1",
                # The broker's clock: what a producer says of the time counts for nothing.
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(self._options.message_bytes_max),
                "segment.bytes": str(max(SEGMENT_BYTES_MIN, 2 * self._options.message_bytes_max)),
                "min.insync.replicas": str(max(1, self._options.replication - 1)),
            },
        }
        with contextlib.suppress(TopicAlreadyExistsError):
            self.ask(lambda admin: admin.create_topics({self.wire(name): made}))
        deadline = time.monotonic() + FORMING_SECONDS_MAX
        while True:
            with contextlib.suppress(TopicUnknown, LogUnavailable):
                found = self.topic(name)
                self.bounds([(name, number) for number in range(found.partitions)])  # every partition has its leader
                return found
            if time.monotonic() > deadline:
                raise LogUnavailable(problem=f"topic {name} has no leader")
            time.sleep(0.05)

    def remove(self, name: str) -> None:
        """Remove a topic; it is gone when this returns.

        Raises:
            TopicUnknown: there is none.
        """
        try:
            self.ask(lambda admin: admin.delete_topics([self.wire(name)]))
        except UnknownTopicOrPartitionError:
            raise TopicUnknown(topic=name) from None
        deadline = time.monotonic() + FORMING_SECONDS_MAX
        while self.topics([name]) and time.monotonic() < deadline:
            time.sleep(0.05)

    # Offsets and sizes -----------------------------------------------------------------------------------------------

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """First and next offset of each partition."""
        partitions = [self._partition(place) for place in places]
        if not partitions:
            return {}
        first = self.ask(lambda admin: admin.list_partition_offsets(dict.fromkeys(partitions, _EARLIEST)))
        following = self.ask(lambda admin: admin.list_partition_offsets(dict.fromkeys(partitions, _LATEST)))
        return {self._place(one): (first[one].offset, following[one].offset) for one in partitions}

    def offset_at(self, place: Place, time: datetime) -> int | None:
        """The first offset appended at or after a time, to the millisecond; None where there is none."""
        milliseconds = -int(-time.timestamp() * 1000 // 1)
        partition = self._partition(place)
        asked = {partition: max(0, milliseconds)}
        found = self.ask(lambda admin: admin.list_partition_offsets(asked))[partition].offset
        return None if found is None or found < 0 else int(found)

    def sizes(self, topics: Sequence[Topic]) -> dict[Place, int]:
        """Bytes that each partition of the topics takes on a broker, as the fullest copy has it."""
        wanted = {self.wire(one.name): list(range(one.partitions)) for one in topics}
        if not wanted:
            return {}
        answers = self.ask(lambda admin: admin.describe_log_dirs(wanted))
        sizes: dict[Place, int] = {}
        for folder in (one for answer in answers for one in answer["log_dirs"]):
            for topic in folder["topics"]:
                for part in topic["partitions"]:
                    place = (str(topic["name"]).removeprefix(self._options.prefix), int(part["partition_index"]))
                    sizes[place] = max(sizes.get(place, 0), int(part["partition_size"]))
        return sizes

    def forget(self, ends: Mapping[Place, int]) -> None:
        """Delete the messages below an offset of each partition."""
        if ends:
            wanted = {self._partition(place): end for place, end in ends.items()}
            self.ask(lambda admin: admin.delete_records(wanted))

    def close(self) -> None:
        """Give back the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def ask(self, question: Callable[[KafkaAdminClient], Any]) -> Any:  # noqa: ANN401 - kafka-python has no types
        """Ask the cluster, one question at a time: the client stalls when many threads ask while it connects.

        While its nodes are still being connected to nothing is sent, so asking again is safe. A controller that is gone
        the client goes on looking for; a new client finds the next one.
        """
        deadline = time.monotonic() + self._options.wait_seconds_max
        if not self._asking.acquire(timeout=self._options.wait_seconds_max):
            raise LogUnavailable(problem="Kafka: no answer")
        try:
            with unavailable():
                while True:
                    try:
                        return question(self._opened())
                    except (NodeNotReadyError, UnknownBrokerIdError) as error:
                        if time.monotonic() > deadline:
                            raise
                        if isinstance(error, UnknownBrokerIdError):
                            self.close()
                        time.sleep(CONNECTING_SECONDS)
        finally:
            self._asking.release()

    def _opened(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = self._options.connected(partial(KafkaAdminClient, client_id="hub"))
        return self._admin

    def _partition(self, place: Place) -> TopicPartition:
        return TopicPartition(self.wire(place[0]), place[1])

    def _place(self, partition: TopicPartition) -> Place:
        return (partition.topic.removeprefix(self._options.prefix), partition.partition)


@contextmanager
def unavailable() -> Generator[None]:
    """What the client says of Kafka, as the port says it. What the caller must tell apart goes through as it is."""
    try:
        yield
    except (TopicAlreadyExistsError, UnknownTopicOrPartitionError, KafkaConfigurationError):
        raise
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(problem=f"Kafka: {type(error).__name__}") from error


def _is_there(prefix: str, described: Mapping[str, Any]) -> bool:
    name = described["name"]
    return (
        described["error_code"] == 0
        and not described.get("is_internal", False)
        and isinstance(name, str)
        and name.startswith(prefix)
        and re.match("__", name) is None
    )


def _topic(prefix: str, described: Mapping[str, Any]) -> Topic:
    name = str(described["name"]).removeprefix(prefix)
    return Topic(name, str(described["topic_id"]), len(described["partitions"]))
