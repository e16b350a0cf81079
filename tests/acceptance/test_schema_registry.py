"""The schema registry, asked by Confluent's own client and by hand."""
# Its serializers take their arguments in a way that no checker sees.
# pyright: reportCallIssue=false

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from running_door import FOREIGN, OURS, RunningDoor
from signing_in import opened

from hub.ledger.leaf_store import last_leaves
from schemas.subject_schema import SCHEMA_BYTES_MAX

FIELDS = [{"name": "code", "type": "string"}, {"name": "name", "type": "string"}, {"name": "level", "type": "int"}]
PLAIN = {"type": "record", "name": "Source", "namespace": "some.table", "fields": FIELDS}
REQUIRED = {"name": "missing", "type": "string"}


def topic_of(door: RunningDoor, dataset: str = OURS) -> str:
    """As Kafka has it, where the log is there: behind the hub's prefix."""
    return f"{door.settings.kafka_prefix if door.settings.log == 'kafka' else ''}exchange.{dataset}"


def value_of(door: RunningDoor, dataset: str = OURS) -> str:
    return f"{topic_of(door, dataset)}-value"


def key_of(door: RunningDoor) -> str:
    return f"{topic_of(door)}-key"


@pytest.fixture
def client(door: RunningDoor) -> Iterator[SchemaRegistryClient]:
    yield from _client(door)


@pytest.fixture
def other_client(door: RunningDoor) -> Iterator[SchemaRegistryClient]:
    yield from _client(door)  # which remembers nothing of what the first one learnt


def _client(door: RunningDoor) -> Iterator[SchemaRegistryClient]:
    made = SchemaRegistryClient(
        {"url": f"{door.url}/v1/registry", "basic.auth.user.info": f"gong-an:{door.tokens['gong-an']}"}
    )
    with made:
        yield made


def avro(schema: Any) -> Schema:
    return Schema(json.dumps(schema), "AVRO")


def asked(door: RunningDoor, path: str, body: Any = None, caller: str | None = "gong-an") -> httpx.Response:
    with door.client(caller) as client:
        return client.request("GET" if body is None else "POST", f"/v1/registry{path}", json=body)


def fails(answer: httpx.Response, status: int, error_code: int, code: str) -> dict[str, Any]:
    found = answer.json()
    assert (answer.status_code, found["error_code"], found["code"]) == (status, error_code, code), found
    assert found["message"] == found["detail"]
    assert found["type"] == f"/v1/problems/{code}"
    return found


# As its clients ask --------------------------------------------------------------------------------------------------


def test_a_serializer_registers_its_schema_and_a_deserializer_reads_by_its_id(
    door: RunningDoor, client: SchemaRegistryClient, other_client: SchemaRegistryClient
):
    context = SerializationContext(topic_of(door), MessageField.VALUE)
    record = {"code": "420100", "name": "武汉市", "level": 2}
    own = {**PLAIN, "doc": "registered by this test alone"}
    framed = AvroSerializer(client, json.dumps(own))(record, context)
    assert framed is not None
    assert framed[0] == 0
    id_ = int.from_bytes(framed[1:5], "big")
    found = other_client.lookup_schema(value_of(door), avro(own))
    assert (found.schema_id, found.subject) == (id_, value_of(door))
    assert AvroDeserializer(other_client)(framed, context) == record
    # A second serializer, and one that may not register, find the same schema again.
    again = AvroSerializer(other_client, json.dumps(own), conf={"auto.register.schemas": False})
    assert again(record, context) == framed
    with opened(door.database_url) as conn:
        leaf = json.loads(last_leaves(conn, 1)[0])
    assert (leaf["action"], leaf["actor"], leaf["object"]) == (
        "subject.registered",
        "organization:gong-an",
        f"subject:exchange.{OURS}-value",
    )


def test_the_contracts_own_schema_is_there_before_anyone_registers_one(door: RunningDoor, client: SchemaRegistryClient):
    assert set(client.get_subjects()) == {value_of(door), key_of(door)}
    latest = client.get_version(value_of(door), 1)
    assert latest.version == 1
    assert json.loads(str(latest.schema.schema_str)) == door.contract.avro_schema()
    key = client.get_version(key_of(door), 1)
    assert [one["name"] for one in json.loads(str(key.schema.schema_str))["fields"]] == list(door.contract.key)
    writes_latest = AvroSerializer(client, conf={"auto.register.schemas": False, "use.latest.version": True})
    context = SerializationContext(topic_of(door), MessageField.VALUE)
    assert writes_latest({"code": "420100", "name": "武汉市", "level": 2}, context) is not None


def test_a_plain_type_is_the_key_of_one_field(door: RunningDoor, client: SchemaRegistryClient):
    id_ = client.register_schema(key_of(door), Schema('"string"', "AVRO"))
    assert client.get_schema(id_).schema_str == '"string"'
    assert client.lookup_schema(key_of(door), Schema('"string"', "AVRO")).schema_id == id_


def test_what_clients_ask_beside(door: RunningDoor, client: SchemaRegistryClient):
    id_ = client.register_schema(value_of(door), avro(PLAIN))
    assert client.get_config(value_of(door)).compatibility_level == "BACKWARD_TRANSITIVE"
    assert client.get_config().compatibility_level == "BACKWARD_TRANSITIVE"
    assert client.get_mode(value_of(door)) == client.get_global_mode() == "READWRITE"
    assert client.get_contexts() == ["."]
    assert client.get_schema_types() == ["AVRO"]
    assert client.get_subjects_by_schema_id(id_) == [value_of(door)]
    versions = client.get_schema_versions(id_)
    assert [one.subject for one in versions] == [value_of(door)]
    assert client.get_versions(value_of(door)) == list(range(1, 1 + len(client.get_versions(value_of(door)))))
    assert versions[0].version in client.get_versions(value_of(door))
    assert asked(door, "").json() == asked(door, "/").json() == {}
    assert asked(door, f"/subjects/{value_of(door)}/versions/latest/schema").json()["type"] == "record"
    assert asked(door, f"/schemas/ids/{id_}/schema").json() == PLAIN
    assert asked(door, f"/subjects?subjectPrefix={topic_of(door)}-k&whatever=1").json() == [key_of(door)]
    assert asked(door, "/subjects?offset=1&limit=1").json() == [value_of(door)]


def test_what_does_not_resolve_is_refused_by_field_and_rule(door: RunningDoor, client: SchemaRegistryClient):
    bad = {**PLAIN, "fields": [{"name": "code", "type": "int"}, {"name": "nam", "type": "string"}]}
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(value_of(door), avro(bad))
    assert (caught.value.http_status_code, caught.value.error_code) == (409, 409)
    message = str(caught.value.error_message)
    for told in ("code [field_type_unfit]", "nam [field_unknown]", "name [required]"):
        assert told in message
    assert client.test_compatibility(value_of(door), avro(PLAIN)) is True
    assert client.test_compatibility(value_of(door), avro(bad)) is False
    assert client.test_compatibility_all_versions(value_of(door), avro(bad)) is False
    path = f"/compatibility/subjects/{value_of(door)}/versions/latest"
    told = asked(door, f"{path}?verbose=true", {"schema": json.dumps(bad)}).json()
    assert told["is_compatible"] is False
    assert any(one.startswith("code [field_type_unfit]: ") for one in told["messages"])
    assert asked(door, path, {"schema": json.dumps(PLAIN)}).json() == {"is_compatible": True}


# Whose it is ---------------------------------------------------------------------------------------------------------


def test_a_foreign_subject_is_as_one_that_is_not_there(door: RunningDoor, client: SchemaRegistryClient):
    foreign, absent = value_of(door, FOREIGN), value_of(door, "420000.nothing")
    id_ = client.register_schema(value_of(door), avro(PLAIN))
    for path in ("/subjects/{}/versions", "/subjects/{}/versions/latest", "/config/{}", "/mode/{}"):
        there, nowhere = (asked(door, path.format(one)) for one in (foreign, absent))
        assert there.text.replace(foreign, absent) == nowhere.text
        fails(there, 404, 40401, "subject_unknown")
    body = {"schema": json.dumps(PLAIN)}
    for path in ("/subjects/{}", "/subjects/{}/versions", "/compatibility/subjects/{}/versions/latest"):
        fails(asked(door, path.format(foreign), body), 404, 40401, "subject_unknown")
    # The schema of gong-an's is none of min-zheng's; whoever has a mandate sees it.
    fails(asked(door, f"/schemas/ids/{id_}", caller="min-zheng"), 404, 40403, "subject_schema_unknown")
    assert asked(door, f"/schemas/ids/{id_}", caller="wu-han").status_code == 200
    assert asked(door, "/subjects", caller="wu-han").json() == [key_of(door), value_of(door)]


def test_only_a_known_caller_is_answered(door: RunningDoor):
    token = door.tokens["gong-an"]

    def with_basic(text: str) -> httpx.Response:
        encoded = base64.b64encode(text.encode()).decode()
        with door.client(None, authorization=f"Basic {encoded}") as client:
            return client.get("/v1/registry/subjects")

    assert with_basic(f"anyone:{token}").status_code == 200
    for wrong in (f"{token}:", f"anyone:{token[:-1]}", token, f"a:{'x' * 9000}", ":"):
        fails(with_basic(wrong), 401, 401, "not_authenticated")
    with door.client(None, authorization="Basic ###") as client:
        fails(client.get("/v1/registry/subjects"), 401, 401, "not_authenticated")
    fails(asked(door, "/subjects", caller=None), 401, 401, "not_authenticated")


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "error_code", "code"),
    [
        ({"schema": "{"}, 422, 42201, "subject_schema_unreadable"),
        ({"schema": '{"type": "record", "type": "record"}'}, 422, 42201, "subject_schema_unreadable"),
        ({"schema": "[" * 100 + "]" * 100}, 422, 42201, "subject_schema_unreadable"),
        ({"schema": '"string"'}, 409, 409, "subject_schema_unfit"),
        ({"schema": "string"}, 422, 42201, "subject_schema_unreadable"),
        ({"schema": '{"type": "record", "name": "x", "fields": 1}'}, 409, 409, "subject_schema_unfit"),
        ({"schema": '{"type": "record", "name": "x", "fields": [1]}'}, 409, 409, "subject_schema_unfit"),
        ({"schema": '["null", {"type": "map", "values": "int"}]'}, 409, 409, "subject_schema_unfit"),
        ({"schema": "{}", "schemaType": "PROTOBUF"}, 422, 42201, "subject_schema_kind_unknown"),
        ({"schema": "{}", "references": [{"name": "x"}]}, 422, 42201, "subject_schema_kind_unknown"),
        ({"schema": "x" * (SCHEMA_BYTES_MAX + 1)}, 422, 422, "request_invalid"),
        ({}, 422, 422, "request_invalid"),
        ({"schema": 1}, 422, 422, "request_invalid"),
    ],
)
def test_what_is_no_schema_of_this_subject_is_refused(
    door: RunningDoor, body: Any, status: int, error_code: int, code: str
):
    before = asked(door, f"/subjects/{value_of(door)}/versions").json()
    fails(asked(door, f"/subjects/{value_of(door)}/versions", body), status, error_code, code)
    assert asked(door, f"/subjects/{value_of(door)}/versions").json() == before


def test_what_is_not_there_and_what_is_not_offered(door: RunningDoor):
    for version in ("0", "x", "-2", "9" * 20, "%EF%BC%91"):
        fails(asked(door, f"/subjects/{value_of(door)}/versions/{version}"), 422, 42202, "subject_version_wrong")
    fails(asked(door, f"/subjects/{value_of(door)}/versions/999"), 404, 40402, "subject_version_unknown")
    for id_ in ("999999", "0", "x", "9" * 30):
        fails(asked(door, f"/schemas/ids/{id_}"), 404, 40403, "subject_schema_unknown")
    for subject in ("other", "exchange.420000.division", "%00", "a" * 2000):
        fails(asked(door, f"/subjects/{subject}/versions"), 404, 40401, "subject_unknown")
    fails(asked(door, "/subjects/..%2f../versions"), 404, 404, "not_found")
    absent = {"schema": json.dumps({**PLAIN, "fields": [*FIELDS, {"name": "parent_code", "type": "string"}]})}
    fails(asked(door, f"/subjects/{value_of(door)}", absent), 404, 40403, "subject_schema_unknown")
    with door.client() as client:
        answer = client.delete(f"/v1/registry/subjects/{value_of(door)}")
        fails(answer, 405, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
        fails(client.put("/v1/registry/config", json={"compatibility": "NONE"}), 405, 405, "method_not_allowed")
        fails(client.get("/v1/registry/nothing"), 404, 404, "not_found")
