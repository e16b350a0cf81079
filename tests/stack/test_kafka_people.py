"""Departments at Kafka with their own tools: tokens of Keycloak, Confluent's client, the hub's registry and rules."""
# confluent-kafka's serializers take their arguments in a way that no checker sees.
# pyright: reportCallIssue=false, reportArgumentType=false

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import running_stack
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from running_door import FOREIGN, OURS, RunningDoor, populate, running
from signing_in import add_application, add_person, opened

from hub.acts import applications
from hub.exchange.kafka_log_cluster import KafkaCluster
from hub.exchange.kafka_log_rules import KafkaRules, Rule
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.keycloak_realm import KeycloakRealm
from hub.identity.people import caller_of_login
from hub.main import kafka_of

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

SECONDS_MAX = 20.0
FETCH_SECONDS = 1.5  # what was asked before the end is answered within the half second that a fetch waits
FIELDS = [{"name": "code", "type": "string"}, {"name": "name", "type": "string"}, {"name": "level", "type": "int"}]
SCHEMA = json.dumps({"type": "record", "name": "Division", "namespace": "some.table", "fields": FIELDS})


@dataclass
class Department:
    """A door over Kafka and Keycloak, and an application of gong-an's with a client of its own."""

    door: RunningDoor
    application: str
    token: str
    cluster: KafkaCluster

    def wire(self, dataset: str) -> str:
        return self.cluster.wire(f"exchange.{dataset}")

    @property
    def connection(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": running_stack.token_server(),
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "OAUTHBEARER",
            "oauth_cb": lambda _: (self.token, time.time() + 240),
            "log_level": 0,
        }

    @contextmanager
    def registry(self) -> Generator[SchemaRegistryClient]:
        with SchemaRegistryClient(
            {
                "url": f"{self.door.url}/v1/registry",
                "bearer.auth.credentials.source": "STATIC_TOKEN",
                "bearer.auth.token": self.token,
                "bearer.auth.logical.cluster": "hub",
                "bearer.auth.identity.pool.id": "hub",
            }
        ) as client:
            yield client

    def send(
        self,
        topic: str,
        *messages: tuple[bytes | None, bytes | None],
        idempotent: bool = True,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> list[KafkaError | None]:
        """Produce with the department's token; what the broker said of each."""
        told: list[KafkaError | None] = []
        producer = Producer({**self.connection, "message.timeout.ms": 10_000, "enable.idempotence": idempotent})
        for key, value in messages:
            producer.produce(
                topic, value=value, key=key, headers=headers or [], on_delivery=lambda error, _: told.append(error)
            )
        producer.flush(15)
        return told

    def rules(self) -> frozenset[Rule]:
        found = KafkaRules(self.cluster, None).given()
        return frozenset(one for one in found if one.client == self.application)


@pytest.fixture
def department(database_url: str) -> Iterator[Department]:
    issuer = running_stack.realm_url()
    clients = KeycloakClients(KeycloakRealm(issuer, "hub-admin", running_stack.secret("hub-admin-secret")), "hub-api")
    now = datetime.now(UTC)
    with running(database_url, oidc_issuer=issuer, oidc_audience="hub-api", kafka_access=True) as door:
        populate(door)
        with opened(database_url) as conn:
            add_person(conn, "root")
            made = add_application(conn, "root", organization="gong-an")
            client = clients.add(made.id, "tests")
            root = caller_of_login(conn, "root", now)
            applications.link_client(conn, root, made.id, issuer, client.client, now, subject=client.subject)
        form = {"grant_type": "client_credentials", "client_id": client.client, "client_secret": client.secret}
        answer = httpx.post(f"{issuer}/protocol/openid-connect/token", data=form, trust_env=False)
        with closing(KafkaCluster(kafka_of(door.settings))) as cluster, door.worker():
            try:
                yield Department(door, made.id, answer.json()["access_token"], cluster)
            finally:
                KafkaRules(cluster, None).take(KafkaRules(cluster, None).given())
                clients.remove(made.id)


def _schema_of(framed: bytes | None) -> int:
    assert framed is not None
    return int.from_bytes(framed[1:5], "big")


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_department_produces_with_confluents_serializer_and_gets_receipts(department: Department):
    topic = department.wire(OURS)
    own = Rule(department.application, "write", "topic", f"exchange.{OURS}")
    until(lambda: department.rules() == frozenset({own}))
    with department.registry() as registry:
        value = AvroSerializer(registry, SCHEMA)
        key = AvroSerializer(registry, '"string"')
        of_value, of_key = (SerializationContext(topic, part) for part in (MessageField.VALUE, MessageField.KEY))
        records = [{"code": f"42{number:04}", "name": "某区", "level": 3} for number in range(200)]
        messages = [(key(one["code"], of_key), value(one, of_value)) for one in records]
        assert department.send(topic, *messages) == [None] * 200
        assert department.send(topic, (key("420000", of_key), None)) == [None]
        assert registry.get_subjects_by_schema_id(_schema_of(messages[0][1])) == [f"{topic}-value"]

    def standing() -> dict[str, Any]:
        with department.door.client() as client:
            return client.get(f"/v1/exchange/{OURS}").json()

    found = until(lambda: (now := standing())["records"] == 199 and now)
    assert (found["received"], found["rejected"], found["lag"]) == (201, 0, 0)
    with department.door.client() as client:
        receipt = client.get(f"/v1/exchange/receipts/{found['last_receipt']['batch']}").json()
    assert receipt["organization"] == receipt["sender"] == "gong-an"
    assert {"offset", "last_offset"} <= set(receipt["position"])


def test_a_topic_of_another_organization_is_refused_at_the_broker(department: Department):
    until(department.rules)
    rubbish = ((None, b"rubbish"), (b"\x00\xff personal", b"\x00"), (None, b""))
    assert department.send(department.wire(OURS), *rubbish, headers=[("hub-signature", None)]) == [None] * 3
    (refused,) = department.send(department.wire(FOREIGN), (None, b"x"))
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED

    def refusals() -> list[str]:
        with opened(department.door.database_url) as conn:
            rows = conn.execute("SELECT refusal ->> 'code' FROM refused_message").fetchall()
        return [str(row[0]) for row in rows]

    assert until(lambda: len(found := refusals()) == 3 and found) == ["envelope_missing"] * 3


def test_a_transaction_is_refused_so_no_marks_of_its_stand_between_messages(department: Department):
    until(department.rules)
    producer = Producer({**department.connection, "transactional.id": "of-a-department"})
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(15)
    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_a_suspended_application_writes_no_more_though_its_token_counts(department: Department):
    until(department.rules)
    with opened(department.door.database_url) as conn:
        root = caller_of_login(conn, "root", datetime.now(UTC))
        applications.suspend(conn, root, department.application, "left", datetime.now(UTC))
    until(lambda: not department.rules())
    # Who may write nowhere gets no producer's id either; without one the topic itself is refused.
    (refused,) = department.send(department.wire(OURS), (None, b"x"), idempotent=False)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_rule_that_the_hub_did_not_give_is_taken_away(department: Department):
    topic = f"exchange.{OURS}"
    strangers = {
        Rule(str(uuid4()), "write", "topic", topic),
        Rule(str(uuid4()), "all", "topic", topic),
        Rule(str(uuid4()), "write", "topic", topic, host="10.0.0.1"),
    }
    until(department.rules)
    rules = KafkaRules(department.cluster, None)
    rules.give(strangers)
    assert strangers <= rules.given()
    with opened(department.door.database_url) as conn:  # what changes makes it look; otherwise it does once a minute
        conn.execute("UPDATE application SET suspended_at = now() WHERE id = %s", [department.application])
    until(lambda: not (strangers & rules.given()))


def test_the_end_of_a_subscription_ends_what_its_reader_may(department: Department):
    id_ = str(uuid4())
    name = f"subscription.{id_}"
    department.cluster.make(name, 1)
    with opened(department.door.database_url) as conn:
        conn.execute(
            "INSERT INTO subscription (id, subscriber, organization, dataset, kind, state, why, verified, settled,"
            " created_at, next_at) VALUES (%s, 'organization:gong-an', 'gong-an', %s, 'topic', 'active', '', true,"
            " now(), now(), now() + interval '1 day')",
            [id_, FOREIGN],
        )
    reading = {
        Rule(department.application, "read", "topic", name),
        Rule(department.application, "read", "group", name),
    }
    until(lambda: reading <= department.rules())
    producer = Producer({"bootstrap.servers": running_stack.kafka_servers(), "log_level": 0})
    producer.produce(department.cluster.wire(name), b"first")
    producer.flush(10)
    options = {"group.id": department.cluster.wire(name), "auto.offset.reset": "earliest"}
    consumer = Consumer({**department.connection, **options})
    try:
        consumer.subscribe([department.cluster.wire(name)])
        message = until(lambda: consumer.poll(1.0))
        assert (message.error(), message.value()) == (None, b"first")
        with opened(department.door.database_url) as conn:
            conn.execute("UPDATE subscription SET state = 'ended', ended_at = now() WHERE id = %s", [id_])
        until(lambda: not (reading & department.rules()))
        time.sleep(FETCH_SECONDS)
        producer.produce(department.cluster.wire(name), b"second")
        producer.flush(10)
        refused = _refusal(consumer)
        assert refused.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
    finally:
        consumer.close()


def _refusal(consumer: Consumer) -> KafkaError:
    """What the broker says to who reads on; nothing more may come."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            message = consumer.poll(1.0)
        except KafkaException as error:
            return error.args[0]
        if message is not None:
            error = message.error()
            assert error is not None, "it was read after the end"
            return error
    raise AssertionError("nothing was said")
