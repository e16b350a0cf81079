"""Departments at the broker itself, with tokens of Keycloak: what no access rule allows is refused."""

# The checker's own stubs are of kafka-python 2.
# pyright: reportIncompatibleMethodOverride=false, reportCallIssue=false

import contextlib
from collections.abc import Generator, Iterator
from uuid import uuid4

import httpx
import pytest
import running_stack
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from hub.exchange.kafka_log_cluster import KafkaCluster, KafkaOptions
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.keycloak_realm import KeycloakRealm

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

OWN, FOREIGN = "exchange.420000.own", "exchange.420000.foreign"


class Token(AbstractTokenProvider):
    """One token, as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def token(self) -> str:
        return self._text


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    options = KafkaOptions(running_stack.kafka_servers(), prefix=f"test-{uuid4().hex[:12]}.")
    with contextlib.closing(KafkaCluster(options)) as made:
        for name in (OWN, FOREIGN):
            made.make(name, 1)
        yield made
        for name in (OWN, FOREIGN):
            made.remove(name)


@pytest.fixture
def client() -> Iterator[tuple[str, str]]:
    """A department's client: its id and a token of its own."""
    issuer = running_stack.realm_url()
    clients = KeycloakClients(KeycloakRealm(issuer, "hub-admin", running_stack.secret("hub-admin-secret")), "hub-api")
    made = clients.add(str(uuid4()), "tests")
    form = {"grant_type": "client_credentials", "client_id": made.client, "client_secret": made.secret}
    answer = httpx.post(f"{issuer}/protocol/openid-connect/token", data=form, trust_env=False)
    yield made.client, answer.json()["access_token"]
    clients.remove(made.client)


@contextlib.contextmanager
def producing(token: str) -> Generator[KafkaProducer]:
    producer = KafkaProducer(
        bootstrap_servers=[running_stack.token_server()],
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_provider=Token(token),
        bootstrap_timeout_ms=8_000,
        max_block_ms=8_000,
        enable_idempotence=False,
    )
    try:
        yield producer
    finally:
        producer.close(timeout=5)


def test_a_token_opens_the_topic_that_a_rule_names_and_no_other(cluster: KafkaCluster, client: tuple[str, str]):
    name, token = client
    rule = ACL(
        principal=f"User:{name}",
        host="*",
        operation=ACLOperation.WRITE,
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType.TOPIC, cluster.wire(OWN)),
    )
    admin = KafkaAdminClient(bootstrap_servers=running_stack.kafka_servers().split(","))
    try:
        with producing(token) as producer, pytest.raises(TopicAuthorizationFailedError):
            producer.send(cluster.wire(OWN), b"before the rule").get(timeout=10)
        admin.create_acls([rule])
        with producing(token) as producer:
            producer.send(cluster.wire(OWN), b"own").get(timeout=10)
            with pytest.raises(TopicAuthorizationFailedError):
                producer.send(cluster.wire(FOREIGN), b"foreign").get(timeout=10)
        assert cluster.bounds([(OWN, 0), (FOREIGN, 0)]) == {(OWN, 0): (0, 1), (FOREIGN, 0): (0, 0)}
    finally:
        admin.delete_acls([rule])
        admin.close()


def test_a_forged_token_is_refused(client: tuple[str, str]):
    header, payload, signature = client[1].split(".")
    forged = ".".join([header, payload, signature[::-1]])
    with pytest.raises(KafkaError), producing(forged):
        pass
