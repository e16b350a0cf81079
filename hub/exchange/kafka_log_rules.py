"""The access rules of a Kafka cluster that let departments at the topics of the log: read, made and taken away.

Rules are of clients of the issuer, whose tokens the broker verifies (``User:<client>``). All rules to write to an
exchange topic and to read a subscription's are the hub's to give: one that it did not give is one too many, for who
may write to a topic is what vouches for the sender of a record. That is so of rules that name a topic; one for a prefix
or for all topics (``*``) is of the cluster's operators, who answer for it.
"""
# The checker's own stubs are of kafka-python 2.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from catalog.subscription import TOPIC_PREFIX as SUBSCRIPTIONS
from hub.errors import LogUnavailable
from hub.exchange.kafka_log_cluster import KafkaCluster
from hub.exchange.log import TOPIC_PREFIX

_USER: Final = "User:"
_OPERATIONS: Final = {"write": ACLOperation.WRITE, "read": ACLOperation.READ, "all": ACLOperation.ALL}
ANY_HOST: Final = "*"
_KINDS: Final = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One thing that a client may do.

    Args:
        client: of the issuer.
        may: write to a topic, or read it; a group is read where its members are told their partitions. The hub never
            gives ``all``.
        kind: what ``name`` names.
        name: the log's own name of it.
        host: from where; the hub gives rules for anywhere alone.
    """

    client: str
    may: Literal["read", "write", "all"]
    kind: Literal["topic", "group"]
    name: str
    host: str = ANY_HOST

    @property
    def is_of_exchange(self) -> bool:
        """Whether it is one of those that the hub alone gives."""
        if self.may != "read" and self.kind == "topic" and self.name.startswith(TOPIC_PREFIX):
            return True
        return self.may != "write" and self.name.startswith(SUBSCRIPTIONS)


class KafkaRules:
    """The rules of a cluster.

    Args:
        cluster: whose.
        own: the hub's principal in it, whose rules are its operators' affair.
    """

    def __init__(self, cluster: KafkaCluster, own: str | None) -> None:
        self._cluster = cluster
        self._own = own

    def given(self) -> frozenset[Rule]:
        """All rules that the hub alone gives, whoever gave them.

        Raises:
            LogUnavailable: no answer, or the cluster has no authorizer.
        """
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.LITERAL)
        wanted = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ALLOW, anything)
        found, error = self._cluster.ask(lambda admin: admin.describe_acls(wanted))
        _refuse(error)
        rules = (self._rule_of(one) for one in found)
        return frozenset(one for one in rules if one is not None and one.is_of_exchange)

    def give(self, rules: Iterable[Rule]) -> None:
        """Let clients do these things.

        Raises:
            LogUnavailable: not all of it is done.
        """
        wanted = [self._acl_of(one) for one in sorted(rules)]
        if wanted:
            answer = self._cluster.ask(lambda admin: admin.create_acls(wanted))
            for _, error in answer["failed"]:
                _refuse(error)

    def take(self, rules: Collection[Rule]) -> None:
        """Let them no more; what is read from now on is refused, by connections that are open as well.

        Raises:
            LogUnavailable: not all of it is done.
        """
        wanted = [self._acl_of(one) for one in sorted(rules)]
        if wanted:
            for _, _, error in self._cluster.ask(lambda admin: admin.delete_acls(wanted)):
                _refuse(error)

    def _acl_of(self, rule: Rule) -> ACL:
        resource = ResourcePattern(_KINDS[rule.kind], self._cluster.wire(rule.name), ACLResourcePatternType.LITERAL)
        return ACL(_USER + rule.client, rule.host, _OPERATIONS[rule.may], ACLPermissionType.ALLOW, resource)

    def _rule_of(self, found: Any) -> Rule | None:  # noqa: ANN401 - kafka-python has no types
        """None for what the hub gives no rules of: other operations and resources, other hubs, itself."""
        may = next((name for name, operation in _OPERATIONS.items() if operation == found.operation), None)
        resource = found.resource_pattern
        kind = next((name for name, one in _KINDS.items() if one == resource.resource_type), None)
        client, name = str(found.principal).removeprefix(_USER), str(resource.resource_name)
        prefix = self._cluster.wire("")
        if may is None or kind is None or client == self._own or not name.startswith(prefix):
            return None
        return Rule(client, may, kind, name.removeprefix(prefix), str(found.host))


def _refuse(error: Any) -> None:  # noqa: ANN401 - a class or an instance of kafka-python's errors
    if getattr(error, "errno", 0):
        name = error.__name__ if isinstance(error, type) else type(error).__name__
        raise LogUnavailable(problem=f"Kafka: {name}")
