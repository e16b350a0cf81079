"""Which rules of Kafka's the hub's rows ask for, and that they are kept; the cluster itself is a double here."""

from collections.abc import Collection, Iterable
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from contract_maker import simple_contract_source
from signing_in import add_application, add_person

from catalog.organization import Organization
from catalog.store import add_organization
from hub.acts import applications
from hub.errors import LogUnavailable, SettingWrong
from hub.exchange.kafka_log_rules import Rule
from hub.exchange.registry_store import register_contract, register_dataset
from hub.identity.people import caller_of_login
from hub.main_processes import keeping_topic_access
from hub.settings import Settings
from hub.store.connect import connect
from hub.topic_access import TopicAccess
from hub.topic_access_store import held_alone, wanted_rules

ISSUER = "https://issuer.example/realms/hub"
OWN, FOREIGN = "420000.own", "420000.foreign"


class Rules:
    """The rules of a cluster that does what it is told, or nothing."""

    def __init__(self, *given: Rule) -> None:
        self.rules = set(given)
        self.is_there = True
        self.asked = 0

    def given(self) -> frozenset[Rule]:
        self.asked += 1
        if not self.is_there:
            raise LogUnavailable(problem="test")
        return frozenset(self.rules)

    def give(self, rules: Iterable[Rule]) -> None:
        self.rules |= set(rules)

    def take(self, rules: Collection[Rule]) -> None:
        self.rules -= set(rules)


@pytest.fixture
def client(connection: psycopg.Connection) -> str:
    """A linked application of gong-an's, which owns OWN; another organization's is linked, too, to another issuer."""
    now = datetime.now(UTC)
    for id_, dataset in (("gong-an", OWN), ("min-zheng", FOREIGN)):
        add_organization(connection, Organization(id_, id_, id_, "province", "420000"))
        register_contract(connection, simple_contract_source())
        register_dataset(connection, dataset, "simple", id_)
    add_person(connection, "root")
    root = caller_of_login(connection, "root", now)
    made = [add_application(connection, "root", organization=one).id for one in ("gong-an", "min-zheng")]
    applications.link_client(connection, root, made[0], ISSUER, "client-of-gong-an", now, subject=str(uuid4()))
    applications.link_client(connection, root, made[1], ISSUER + "2", "elsewhere", now, subject=str(uuid4()))
    return made[0]


def subscribe(conn: psycopg.Connection, subscriber: str, kind: str = "topic") -> str:
    id_ = str(uuid4())
    address = "https://receiver.example" if kind == "push" else None
    conn.execute(
        "INSERT INTO subscription (id, subscriber, dataset, kind, address, state, why, verified, settled, created_at,"
        " next_at) VALUES (%s, %s, %s, %s, %s, 'active', '', true, now(), now(), now())",
        [id_, subscriber, FOREIGN, kind, address],
    )
    return id_


def test_an_organizations_clients_write_its_own_topics_and_subscribers_read_theirs(
    connection: psycopg.Connection, client: str
):
    write = Rule("client-of-gong-an", "write", "topic", f"exchange.{OWN}")
    assert wanted_rules(connection, ISSUER) == {write}
    of_organization = subscribe(connection, "organization:gong-an")
    of_application = subscribe(connection, f"application:{client}")
    subscribe(connection, "organization:min-zheng")
    subscribe(connection, "organization:gong-an", "push")
    reading = {
        Rule("client-of-gong-an", "read", kind, f"subscription.{id_}")
        for id_ in (of_organization, of_application)
        for kind in ("topic", "group")
    }
    assert wanted_rules(connection, ISSUER) == {write} | reading
    connection.execute("UPDATE subscription SET state = 'ended', ended_at = now() WHERE id = %s", [of_application])
    left = {one for one in reading if one.name == f"subscription.{of_organization}"}
    assert wanted_rules(connection, ISSUER) == {write} | left
    connection.execute("UPDATE application SET suspended_at = now() WHERE id = %s", [client])
    assert wanted_rules(connection, ISSUER) == frozenset()


def test_what_is_too_much_is_taken_and_what_is_missing_is_given_again(connection: psycopg.Connection, client: str):
    stranger = Rule("stranger", "write", "topic", f"exchange.{OWN}")
    rules = Rules(stranger)
    access = TopicAccess(rules, ISSUER)  # pyright: ignore[reportArgumentType] - a double
    access.turn(connection)
    assert rules.rules == wanted_rules(connection, ISSUER) != set()
    access.turn(connection)
    assert rules.asked == 1  # nothing changed, so the cluster is not asked
    rules.rules.add(stranger)
    connection.execute("UPDATE application SET suspended_at = now() WHERE id = %s", [client])
    access.turn(connection)
    assert rules.rules == set()


def test_while_the_cluster_is_away_nothing_is_believed_to_be_done(connection: psycopg.Connection, client: str):
    rules = Rules()
    access = TopicAccess(rules, ISSUER)  # pyright: ignore[reportArgumentType] - a double
    access.turn(connection)
    connection.execute("UPDATE application SET suspended_at = now() WHERE id = %s", [client])
    rules.is_there = False
    with pytest.raises(LogUnavailable):
        access.turn(connection)
    rules.is_there = True
    access.turn(connection)
    assert rules.rules == set()


def test_one_connection_of_all_keeps_the_rules_until_it_is_closed(database_url: str):
    one, other = (connect(database_url, name, autocommit=True) for name in ("one", "other"))
    with closing(one), closing(other):
        assert held_alone(one)
        assert not held_alone(other)
        assert held_alone(one)
    with closing(connect(database_url, "next", autocommit=True)) as following:
        assert held_alone(following)


@pytest.mark.parametrize(("given", "missing"), [({}, "HUB_LOG=kafka"), ({"log": "kafka"}, "HUB_OIDC_ISSUER")])
def test_rules_need_kafka_and_an_issuer(database_url: str, given: dict[str, str], missing: str):
    settings = Settings(kafka_access=True, **given)  # pyright: ignore[reportArgumentType] - names of settings
    with pytest.raises(SettingWrong) as caught, keeping_topic_access(settings, database_url):
        pass
    assert missing in caught.value.problem
