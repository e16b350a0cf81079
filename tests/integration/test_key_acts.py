"""Acts on organizations' keys: roles, overlap, and a leaf for each."""

from datetime import UTC, datetime, timedelta

import pytest
from key_maker import ADMINISTRATOR, STRANGER, registered
from psycopg import Connection

from catalog import key_store
from catalog.errors import OrganizationUnknown, RoleNeeded
from catalog.key_errors import (
    OrganizationKeyExists,
    OrganizationKeyNeeded,
    OrganizationKeysTaken,
    OrganizationKeyUnknown,
)
from catalog.organization import Organization
from catalog.store import add_organization
from hub.acts import keys
from hub.ledger.leaf import read_record
from schemas.national.sm2 import PrivateKey

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=30)


@pytest.fixture
def conn(connection: Connection) -> Connection:
    for id_, zh in (("gong-an", "公安厅"), ("min-zheng", "民政厅")):
        add_organization(connection, Organization(id_, zh, id_, "province", "420000"))
    return connection


def add(conn: Connection, key_id: str, organization: str = "gong-an", key: PrivateKey | None = None) -> None:
    pem = (key or PrivateKey.generate()).public.to_pem()
    keys.add_key(conn, ADMINISTRATOR, organization, key_id, pem, NOW, LATER, NOW)


def leaves(conn: Connection) -> list[dict[str, object]]:
    rows = conn.execute("SELECT bytes FROM ledger_leaf ORDER BY id").fetchall()
    return [read_record(bytes(row[0])) for row in rows]


def test_two_keys_overlap_and_a_third_waits_for_one_to_end(conn: Connection):
    add(conn, "k1")
    add(conn, "k2")
    with pytest.raises(OrganizationKeysTaken):
        add(conn, "k3")
    add(conn, "k1", "min-zheng")
    keys.revoke_key(conn, ADMINISTRATOR, "gong-an", "k1", "rotated", NOW)
    add(conn, "k3")
    found = {key.key_id: key.standing(NOW) for key in key_store.list_keys(conn, "gong-an")}
    assert found == {"k1": "revoked", "k2": "valid", "k3": "valid"}


def test_a_key_that_has_ended_makes_room(conn: Connection):
    registered(conn, "gong-an", "old", begins_days=-30, ends_days=-1)
    add(conn, "k1")
    add(conn, "k2")
    assert len(key_store.list_keys(conn, "gong-an")) == 3


def test_an_id_is_used_once_and_a_key_is_one_organizations(conn: Connection):
    key = PrivateKey.generate()
    add(conn, "k1", key=key)
    with pytest.raises(OrganizationKeyExists):
        add(conn, "k1")
    with pytest.raises(OrganizationKeyExists):
        add(conn, "k1", "min-zheng", key)
    keys.revoke_key(conn, ADMINISTRATOR, "gong-an", "k1", "lost", NOW)
    with pytest.raises(OrganizationKeyExists):
        add(conn, "k2", key=key)


def test_only_an_administrator_acts_on_keys(conn: Connection):
    pem = PrivateKey.generate().public.to_pem()
    with pytest.raises(RoleNeeded):
        keys.add_key(conn, STRANGER, "gong-an", "k1", pem, NOW, LATER, NOW)
    with pytest.raises(RoleNeeded):
        keys.revoke_key(conn, STRANGER, "gong-an", "k1", "", NOW)
    with pytest.raises(RoleNeeded):
        keys.require_signature(conn, STRANGER, "gong-an", required=False, now=NOW)
    assert leaves(conn) == []


def test_what_is_not_there_is_told(conn: Connection):
    with pytest.raises(OrganizationUnknown):
        add(conn, "k1", "nobody")
    with pytest.raises(OrganizationUnknown):
        keys.require_signature(conn, ADMINISTRATOR, "nobody", required=True, now=NOW)
    with pytest.raises(OrganizationKeyUnknown):
        keys.revoke_key(conn, ADMINISTRATOR, "gong-an", "k1", "", NOW)


def test_an_organization_without_a_valid_key_is_not_made_to_sign(conn: Connection):
    registered(conn, "gong-an", "coming", begins_days=1)
    with pytest.raises(OrganizationKeyNeeded):
        keys.require_signature(conn, ADMINISTRATOR, "gong-an", required=True, now=NOW)
    add(conn, "k1")
    keys.require_signature(conn, ADMINISTRATOR, "gong-an", required=True, now=NOW)
    assert key_store.signing_rules(conn, "gong-an").required
    keys.require_signature(conn, ADMINISTRATOR, "gong-an", required=False, now=NOW)
    assert not key_store.signing_rules(conn, "gong-an").required


def test_every_act_leaves_a_leaf_and_no_reason_stands_in_it(conn: Connection):
    add(conn, "k1")
    keys.require_signature(conn, ADMINISTRATOR, "gong-an", required=True, now=NOW)
    keys.revoke_key(conn, ADMINISTRATOR, "gong-an", "k1", "张三 lost his token", NOW)
    found = leaves(conn)
    assert [leaf["action"] for leaf in found] == [
        "organization.key_added",
        "organization.signature_required",
        "organization.key_revoked",
    ]
    assert found[0]["object"] == found[2]["object"] == "organization-key:gong-an/k1"
    assert {leaf["actor"] for leaf in found} == {ADMINISTRATOR.id}
    assert "张三" not in str(found)
    assert found[2]["reason"]
