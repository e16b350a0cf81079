"""Tokens: shown once, kept as digests, two live at once, gone when revoked or expired."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from catalog.errors import OrganizationExists, OrganizationUnknown, OrganizationWrong
from catalog.organization import Organization
from catalog.store import add_organization, list_organizations
from hub.identity import organization_tokens
from hub.identity.callers import Callers
from hub.identity.errors import NotAuthenticated, TokensTaken, TokenUnknown
from hub.identity.issuer_keys import IssuerKeys
from hub.identity.organization_tokens import issue
from hub.identity.tokens import Tokens
from hub.store.connect import pool

NOW = datetime(2026, 11, 24, tzinfo=UTC)
GONG_AN = Organization("gong-an", "公安厅", "Public Security", "province", "420000")


@pytest.fixture
def connections(database_url: str) -> Iterator[ConnectionPool]:
    with pool(database_url, "test", size=2) as opened:
        yield opened


def callers(connections: ConnectionPool) -> Callers:
    """Identity as it is at a process's first request."""
    return Callers(connections, Tokens("https://issuer.test", "hub", IssuerKeys(list)))


@pytest.fixture
def conn(own_connection: psycopg.Connection) -> psycopg.Connection:
    add_organization(own_connection, GONG_AN)
    own_connection.commit()
    return own_connection


def test_a_token_names_its_organization_until_it_expires(conn: psycopg.Connection, connections: ConnectionPool):
    issued = issue(conn, "gong-an", NOW, days=1)
    conn.commit()
    assert len(issued.token) == len("hub_") + 43
    identity = callers(connections)
    assert identity.caller(issued.token, NOW).organization == "gong-an"
    with pytest.raises(NotAuthenticated):
        identity.caller(issued.token, NOW + timedelta(days=1))


def test_the_store_never_sees_a_token(conn: psycopg.Connection):
    issued = issue(conn, "gong-an", NOW)
    rows = conn.execute("SELECT application_key::text FROM application_key").fetchall()
    assert issued.token not in str(rows)
    assert issued.token[4:] not in str(rows)


def test_a_revoked_token_is_refused_at_once(conn: psycopg.Connection, connections: ConnectionPool):
    first, second = issue(conn, "gong-an", NOW), issue(conn, "gong-an", NOW)
    organization_tokens.revoke(conn, "gong-an", first.id, NOW)
    conn.commit()
    identity = callers(connections)
    with pytest.raises(NotAuthenticated):
        identity.caller(first.token, NOW)
    assert identity.caller(second.token, NOW).organization == "gong-an"
    with pytest.raises(TokenUnknown):
        organization_tokens.revoke(conn, "gong-an", first.id, NOW)
    assert {one.id: one.revoked_at is None for one in organization_tokens.list_tokens(conn, "gong-an", NOW)} == {
        first.id: False,
        second.id: True,
    }


def test_two_tokens_live_at_once_and_no_third(conn: psycopg.Connection):
    first = issue(conn, "gong-an", NOW, days=1)
    issue(conn, "gong-an", NOW, days=10)
    with pytest.raises(TokensTaken):
        issue(conn, "gong-an", NOW)
    organization_tokens.revoke(conn, "gong-an", first.id, NOW)
    issue(conn, "gong-an", NOW)
    issue(conn, "gong-an", NOW + timedelta(days=11))  # the one of ten days has expired


def test_only_an_organization_that_is_there_gets_a_token(conn: psycopg.Connection):
    with pytest.raises(OrganizationUnknown):
        issue(conn, "nobody", NOW)


@pytest.mark.parametrize("token", ["", "hub_", "hub_" + "é" * 43, "HUB_" + "a" * 43, "hub_" + "a" * 44, "hub_\x00"])
def test_what_is_no_token_is_refused_without_asking_the_store(connections: ConnectionPool, token: str):
    with pytest.raises(NotAuthenticated):
        callers(connections).caller(token, NOW)


def test_an_organization_is_registered_once(conn: psycopg.Connection):
    with pytest.raises(OrganizationExists):
        add_organization(conn, GONG_AN)
    assert list_organizations(conn) == [GONG_AN]  # the refusal left the transaction usable


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Gong An"),
        ("name_zh", " "),
        ("level", "state"),
        ("region", "420100"),
        ("credit_code", "91420000000000000X"),
    ],
)
def test_an_organization_that_breaks_a_rule_is_refused_by_its_field(field: str, value: str):
    members = {"id": "x-y", "name_zh": "甲", "name_en": "A", "level": "province", "region": "420000"}
    with pytest.raises(OrganizationWrong) as refused:
        Organization(**(members | {field: value}))
    assert refused.value.field == field
