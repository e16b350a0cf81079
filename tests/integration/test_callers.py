"""Who a credential belongs to: read from the hub's own rows, remembered while nothing changes, closed on failure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from issuer_maker import ISSUER, NOW, Clock, MadeIssuer, with_keys
from psycopg_pool import ConnectionPool
from signing_in import Account, add_application, add_person

from catalog.caller import Caller
from catalog.organization import Organization
from catalog.store import add_organization
from hub.acts import people
from hub.errors import SettingWrong
from hub.identity import caller_store
from hub.identity.application_keys import digest_of
from hub.identity.callers import EPOCH_SECONDS, EPOCH_SECONDS_MAX, Callers
from hub.identity.embedded_issuer_keys import ANNOUNCED_FOR, SIGNS_FOR, SigningKeys
from hub.identity.errors import AdministratorThere, NotAuthenticated, OtherPersonNeeded, PersonUnknown
from hub.identity.organization_tokens import issue
from hub.identity.people import caller_of_login
from hub.identity.person_store import find_by_login, set_suspended
from hub.store.connect import connect, pool
from hub.store.migrate import MIGRATIONS, migrate
from schemas.national.errors import SealBroken
from schemas.national.provider import SoftwareProvider

GONG_AN = Organization("gong-an", "公安厅", "Public Security", "province", "420000")


@dataclass
class Stage:
    """Rows, and identity over them."""

    conn: psycopg.Connection
    pool: ConnectionPool
    issuer: MadeIssuer
    ann: Account
    app: str
    key: str

    def callers(self, clock: Clock | None = None, *, built_in: bool = True) -> Callers:
        return Callers(self.pool, self.issuer.verifier(), built_in=built_in, ticks=clock or Clock())

    def token(self, **changes: Any) -> str:
        members: dict[str, Any] = {"sub": self.ann.id, "azp": self.app}
        return self.issuer.token(**(members | changes))


@pytest.fixture(scope="module")
def made() -> MadeIssuer:
    return with_keys()


@pytest.fixture
def stage(database_url: str, connection: psycopg.Connection, made: MadeIssuer) -> Iterator[Stage]:
    add_organization(connection, GONG_AN)
    add_person(connection, "root")
    ann = add_person(connection, "ann", "developer", organization="gong-an")
    client = add_application(connection, "ann")
    connection.commit()
    with pool(database_url, "test", size=2) as connections:
        yield Stage(connection, connections, MadeIssuer(keys=dict(made.keys)), ann, client.id, client.key)


def refused(callers: Callers, credential: str) -> None:
    with pytest.raises(NotAuthenticated):
        callers.caller(credential, NOW)


def test_a_person_is_what_the_rows_say_and_a_token_claims_nothing(stage: Stage):
    lies = {"roles": ["administrator"], "organization": "min-zheng", "tier": "steward", "person": "x"}
    caller = stage.callers().caller(stage.token(**lies), NOW)
    account = find_by_login(stage.conn, "ann")
    assert account is not None
    assert caller == Caller(
        f"person:{stage.ann.id}", "gong-an", frozenset({"developer"}), "department", account.person, stage.app
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "00000000-0000-7000-8000-000000000000"},
        {"sub": "not-a-uuid"},
        {"sub": "' OR 1=1 --"},
        {"azp": "00000000-0000-7000-8000-000000000000"},
        {"azp": "not-a-uuid"},
        {"sub": "same", "azp": "same"},
    ],
)
def test_a_right_token_of_nobody_here_is_refused(stage: Stage, changes: dict[str, str]):
    refused(stage.callers(), stage.token(**changes))


def test_an_organizations_token_is_the_organization_itself(stage: Stage):
    token = issue(stage.conn, "gong-an", NOW).token
    stage.conn.commit()
    caller = stage.callers().caller(token, NOW)
    assert (caller.id, caller.organization, caller.tier, caller.person) == (
        "organization:gong-an",
        "gong-an",
        "department",
        None,
    )
    assert caller.holders == ("organization:gong-an",)


def test_tier_approved_holds_from_its_first_instant_until_before_its_last(stage: Stage):
    actor = caller_of_login(stage.conn, "root", NOW)
    since, until = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    dev = add_person(stage.conn, "dev", "developer")
    people.approve(stage.conn, actor, dev.id, since, until, NOW)
    stage.conn.commit()
    token = stage.issuer.token(sub=dev.id, azp=stage.app, exp=int(NOW.timestamp()) + 10_000)
    callers = stage.callers()
    tick = timedelta(microseconds=1)
    expected = [(NOW, "registered"), (since - tick, "registered"), (since, "approved"), (until - tick, "approved")]
    expected.append((until, "registered"))
    assert [callers.caller(token, at).tier for at, _ in expected] == [tier for _, tier in expected]


def test_a_known_caller_costs_no_query_until_something_changes(stage: Stage):
    clock = Clock()
    callers, token = stage.callers(clock), stage.token()
    assert callers.remembered(token, NOW) is None
    caller = callers.caller(token, NOW)
    assert callers.remembered(token, NOW) == caller
    set_suspended(stage.conn, stage.ann.id, NOW)
    stage.conn.commit()
    clock.seconds += EPOCH_SECONDS - 0.01
    assert callers.caller(token, NOW) == caller  # not looked at again yet
    clock.seconds += 0.02
    refused(callers, token)
    refused(callers, stage.key)  # its owner


def test_each_change_raises_the_epoch_in_its_own_transaction(stage: Stage, database_url: str):
    with connect(database_url, "other", autocommit=True) as other:
        before = caller_store.epoch(other)
        set_suspended(stage.conn, stage.ann.id, NOW)
        assert caller_store.epoch(other) == before
        stage.conn.commit()
        assert caller_store.epoch(other) == before + 1


def test_where_the_store_does_not_answer_nobody_known_is_let_in(stage: Stage, database_url: str):
    clock = Clock()
    with pool(database_url, "test", size=1, wait_seconds=1) as connections:
        callers = Callers(connections, stage.issuer.verifier(), ticks=clock)
        token = stage.token()
        callers.caller(token, NOW)
        connections.close()
        clock.seconds += EPOCH_SECONDS_MAX + 0.1
        assert callers.remembered(token, NOW) is None
        with pytest.raises(psycopg.OperationalError):
            callers.caller(token, NOW)


def test_another_issuers_subject_is_whom_an_administrator_linked(stage: Stage):
    callers = stage.callers(built_in=False)
    token = stage.token(sub="f:1:ann@elsewhere")
    refused(callers, token)
    refused(callers, stage.token())  # an id of the hub's own is nothing there
    root = caller_of_login(stage.conn, "root", NOW)
    people.link_identity(stage.conn, root, stage.ann.id, ISSUER, "f:1:ann@elsewhere", NOW)
    stage.conn.commit()
    assert callers.caller(token, NOW).id == f"person:{stage.ann.id}"
    people.suspend(stage.conn, root, stage.ann.id, "x", NOW)
    stage.conn.commit()
    refused(stage.callers(built_in=False), token)


# Commands and the first administrator --------------------------------------------------------------------------------


def test_there_is_one_first_administrator(stage: Stage):
    with pytest.raises(AdministratorThere):
        people.add_first_administrator(stage.conn, people.NewPerson("again", "x"), NOW)


def test_a_suspended_login_acts_for_nobody(stage: Stage):
    assert caller_of_login(stage.conn, "ann", NOW).roles == {"developer"}
    set_suspended(stage.conn, stage.ann.id, NOW)
    for login in ("ann", "nobody", ""):
        with pytest.raises(PersonUnknown):
            caller_of_login(stage.conn, login, NOW)


def test_two_accounts_of_one_person_are_one_person(stage: Stage):
    second = add_person(stage.conn, "root-two", person_of="root")
    one, other = (caller_of_login(stage.conn, login, NOW) for login in ("root", "root-two"))
    assert one.person == other.person
    assert one.id != other.id
    with pytest.raises(OtherPersonNeeded):
        people.change_roles(stage.conn, one, second.id, frozenset({"reviewer"}), frozenset(), NOW)


# The tables ----------------------------------------------------------------------------------------------------------


def test_tokens_given_out_before_the_tables_changed_go_on_working(bare_database_url: str, tmp_path: Path):
    for file in sorted(MIGRATIONS.glob("000[1-4]_*.sql")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    migrate(bare_database_url, tmp_path)
    live, revoked = "hub_" + "a" * 43, "hub_" + "b" * 43
    with connect(bare_database_url, "test") as conn:
        add_organization(conn, GONG_AN)
        conn.execute(
            "INSERT INTO organization_token (digest, organization, expires_at, revoked_at) VALUES"
            " (%s, 'gong-an', '2030-01-01Z', NULL), (%s, 'gong-an', '2030-01-01Z', now())",
            [digest_of(live), digest_of(revoked)],
        )
    migrate(bare_database_url)
    with pool(bare_database_url, "test", size=1) as connections:
        callers = Callers(connections, MadeIssuer().verifier())
        assert callers.caller(live, NOW).id == "organization:gong-an"
        refused(callers, revoked)


def test_signing_keys_rotate_with_overlap_and_open_only_under_their_key(stage: Stage):
    provider = SoftwareProvider()
    keys = SigningKeys(stage.pool, provider, b"k" * 16)
    first = keys.current(NOW)
    assert first.kid == SigningKeys(stage.pool, provider, b"k" * 16).current(NOW).kid  # of all processes
    soon = NOW + SIGNS_FOR - ANNOUNCED_FOR
    assert keys.current(soon - timedelta(seconds=61)).kid == first.kid
    assert keys.current(soon).kid == first.kid
    published = [str(one["kid"]) for one in keys.published(soon)]
    assert len(published) == 2  # the next one is known before it signs
    assert keys.current(NOW + SIGNS_FOR).kid != first.kid
    assert first.kid in [one["kid"] for one in keys.published(NOW + SIGNS_FOR + timedelta(hours=1))]
    assert first.kid not in [one["kid"] for one in keys.published(NOW + SIGNS_FOR + timedelta(days=2))]
    rows = stage.conn.execute("SELECT private_sealed, public_jwk FROM signing_key").fetchall()
    assert all(b"PRIVATE KEY" not in bytes(sealed) and "d" not in jwk for sealed, jwk in rows)
    with pytest.raises(SealBroken):
        provider.aead_open(b"x" * 16, bytes(rows[0][0]), b"")
    with pytest.raises(SettingWrong):
        SigningKeys(stage.pool, provider, b"x" * 16).current(NOW)


def test_a_hub_that_was_off_for_months_signs_at_once(stage: Stage):
    keys = SigningKeys(stage.pool, SoftwareProvider(), b"k" * 16)
    first = keys.current(NOW)
    later = NOW + timedelta(days=90)
    assert keys.current(later).kid != first.kid
    assert len(keys.published(later)) == 1
