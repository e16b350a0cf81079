import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from ledger_maker import KeySigner, leaf, opened_sealer, seal, utc_now, verified, write_leaves
from psycopg import Connection

from hub.ledger import checkpoint_store, leaf_store, tree_store
from hub.ledger.errors import LedgerDamaged, LedgerStale
from hub.ledger.leaf import Leaf, commitment, read_record
from hub.ledger.leaf_store import append, append_many
from hub.ledger.proof import consistency_path, inclusion_path, verify_consistency, verify_inclusion
from hub.ledger.sealer import SESSION_SETTINGS, Sealer
from hub.ledger.standing import read_standing, require_live
from hub.ledger.tree import EMPTY_ROOT, Tree, leaf_hashes
from hub.store.connect import connect

SUPPORT = Path(__file__).parents[1] / "support"


def records_in_order(conn: Connection) -> list[bytes]:
    return [record or b"" for _, record in tree_store.sealed_records(conn, 0, 100_000)]


def root_of(records: list[bytes]) -> bytes:
    tree = Tree()
    tree.extend(leaf_hashes(records))
    return tree.root()


def test_a_leaf_takes_part_in_the_transaction_of_its_effect(own_connection: Connection):
    kept = append(own_connection, leaf(1, confidential={"reason": "a court order"}), utc_now())
    own_connection.commit()
    lost = append(own_connection, leaf(2), utc_now())
    own_connection.rollback()
    found = leaf_store.find_leaf(own_connection, kept)
    assert found is not None
    assert read_record(found.bytes)["object"] == "grant:1"
    assert leaf_store.find_leaf(own_connection, lost) is None


def test_what_opens_a_commitment_is_erased_without_touching_the_tree(connection: Connection, database_url: str):
    signer = KeySigner()
    made = append(connection, leaf(1, confidential={"reason": "a court order"}), utc_now())
    connection.commit()
    seal(database_url, signer)
    (opening,) = leaf_store.find_openings(connection, made)
    stored = leaf_store.find_leaf(connection, made)
    assert stored is not None
    assert read_record(stored.bytes)["reason"] == commitment(opening)
    assert leaf_store.erase_openings(connection, made) == 1
    connection.commit()
    assert leaf_store.find_openings(connection, made) == []
    assert verified(database_url, signer).findings == []


def test_leaves_can_be_neither_changed_nor_removed_by_mistake(own_connection: Connection):
    write_leaves(own_connection, 1)
    for statement in ("UPDATE ledger_leaf SET bytes = '{}'", "DELETE FROM ledger_leaf", "TRUNCATE ledger_leaf"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own_connection.execute(statement)
        own_connection.rollback()


def test_sealing_orders_leaves_and_signs_the_tree_over_them(connection: Connection, database_url: str):
    signer = KeySigner()
    ids = write_leaves(connection, 300)
    assert seal(database_url, signer) == 300
    head, newest = tree_store.read_head(connection), checkpoint_store.newest(connection)
    assert newest is not None
    note = newest.parsed()
    note.verify(head.origin, signer.public_pem)
    assert (head.size, newest.size, note.checkpoint.previous_size) == (300, 300, 0)
    assert note.checkpoint.root == root_of(records_in_order(connection))
    assert [read_record(one)["id"] for one in records_in_order(connection)] == ids


def test_sealing_in_steps_makes_the_same_tree_and_every_proof_holds(connection: Connection, database_url: str):
    signer = KeySigner()
    sizes = [0]
    with opened_sealer(database_url, signer, rows_max=100) as sealer:
        for count in (1, 255, 1, 300, 77):
            write_leaves(connection, count, sizes[-1])
            assert sealer.turn() == count
            sizes.append(sizes[-1] + count)
    hashes = leaf_hashes(records_in_order(connection))
    node_of = tree_store.nodes_of(connection)
    roots = {size: root_of(records_in_order(connection)[:size]) for size in sizes}
    for index in (0, 1, 255, 256, 257, 600, 633):
        path = inclusion_path(index, sizes[-1], node_of)
        verify_inclusion(hashes[index], index, sizes[-1], path, roots[sizes[-1]])
    for earlier, later in pairwise(sizes):
        verify_consistency(earlier, roots[earlier], later, roots[later], consistency_path(earlier, later, node_of))
    done = verified(database_url, signer)
    assert (done.size, done.findings) == (634, [])


def test_a_record_committed_late_is_sealed_although_a_later_id_was_sealed_first(
    connection: Connection, database_url: str
):
    signer = KeySigner()
    with connect(database_url, "slow", autocommit=True) as slow, opened_sealer(database_url, signer) as sealer:
        # An identity value is taken before the transaction has its number: between the two anything may happen.
        early = slow.execute("SELECT nextval(pg_get_serial_sequence('ledger_leaf', 'id'))").fetchone()
        assert early is not None
        write_leaves(connection, 1)
        assert sealer.turn() == 1
        slow.execute(
            "INSERT INTO ledger_leaf (id, leaf, bytes) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, gen_random_uuid(), '{\"late\":1}')",
            [early[0]],
        )
        behind = connection.execute("SELECT max(id) FROM ledger_leaf").fetchone()
        assert behind is not None
        assert behind[0] > early[0]  # a cursor on the id alone stands past it for good …
        assert sealer.turn() == 1  # … one on (xid, id) below the horizon does not
    assert records_in_order(connection)[1] == b'{"late":1}'
    connection.rollback()
    assert tree_store.count_missed(connection) == 0


def test_nothing_above_an_open_transaction_is_sealed_until_it_ends(connection: Connection, database_url: str):
    signer = KeySigner()
    with connect(database_url, "slow") as slow, opened_sealer(database_url, signer) as sealer:
        append(slow, leaf(1), utc_now())
        write_leaves(connection, 2, 2)
        assert sealer.turn() == 0
        slow.commit()
        assert sealer.turn() == 3
    objects = [read_record(one)["object"] for one in records_in_order(connection)]
    assert objects == ["grant:1", "grant:2", "grant:3"]


def test_an_aborted_transaction_leaves_nothing_and_holds_up_nothing(connection: Connection, database_url: str):
    append_many(connection, [leaf(1)], utc_now())
    connection.rollback()
    write_leaves(connection, 1, 2)
    assert seal(database_url, KeySigner()) == 1


def test_one_session_seals_and_the_others_stand_by(database_url: str):
    signer = KeySigner()
    with (
        opened_sealer(database_url, signer),
        connect(database_url, "other", autocommit=True) as conn,
        connect(database_url, "reads") as reader,
    ):
        assert not Sealer(conn, reader, signer, utc_now).begin()
    with opened_sealer(database_url, signer):
        pass


def test_an_unchanged_head_is_signed_again_when_it_is_no_longer_fresh(connection: Connection, database_url: str):
    signer, now = KeySigner(), [utc_now()]
    with (
        connect(database_url, "hub sealer", autocommit=True, settings=SESSION_SETTINGS) as conn,
        connect(database_url, "reads", autocommit=True) as reader,
    ):
        sealer = Sealer(conn, reader, signer, lambda: now[0])
        assert sealer.begin()
        for seconds in (0, 30, 31):
            now[0] += timedelta(seconds=seconds)
            sealer.turn()
    found = checkpoint_store.list_checkpoints(connection, 0, 10)
    assert [(one.size, one.root) for one in found] == [(0, EMPTY_ROOT), (0, EMPTY_ROOT)]
    assert found[1].signed_at - found[0].signed_at == timedelta(seconds=61)


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from hub.ledger import tree_store
from ledger_maker import KeySigner, opened_sealer
put_tiles = tree_store.put_tiles
def killed(*arguments):
    put_tiles(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
tree_store.put_tiles = killed
with opened_sealer(sys.argv[2], KeySigner()) as sealer:
    sealer.turn()
"""


def test_a_sealer_killed_between_copy_and_commit_leaves_what_was_there(connection: Connection, database_url: str):
    signer = KeySigner()
    write_leaves(connection, 10)
    assert seal(database_url, signer) == 10
    write_leaves(connection, 500, 10)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(SUPPORT), database_url],
        env=os.environ,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert tree_store.read_head(connection).size == 10
    connection.rollback()
    assert seal(database_url, signer) == 500
    assert verified(database_url, signer).findings == []


def test_nothing_is_sealed_on_top_of_a_tree_that_is_not_the_signed_one(connection: Connection, database_url: str):
    signer = KeySigner()
    write_leaves(connection, 10)
    seal(database_url, signer)
    connection.execute("UPDATE ledger_tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)")
    connection.commit()
    with pytest.raises(LedgerDamaged), opened_sealer(database_url, signer):
        pass


def test_leaves_behind_the_cursor_raise_an_alarm(connection: Connection, database_url: str):
    signer = KeySigner()
    write_leaves(connection, 3)
    seal(database_url, signer)
    connection.execute(
        "INSERT INTO ledger_leaf (xid, leaf, bytes) VALUES ('3'::xid8, gen_random_uuid(), '{\"back\":1}')"
    )
    connection.commit()
    assert seal(database_url, signer) == 0
    standing = read_standing(connection, utc_now())
    assert standing.head.missed == 1
    assert not standing.sound
    assert [one.code for one in standing.alarms] == ["leaves_missed"]


def test_a_ledger_without_a_fresh_signed_head_stops_the_hub(connection: Connection, database_url: str):
    now = utc_now()
    require_live(connection, now)  # new, and nothing signed yet
    with pytest.raises(LedgerStale):
        require_live(connection, now + timedelta(minutes=16))
    seal(database_url, KeySigner())
    connection.rollback()
    require_live(connection, utc_now() + timedelta(minutes=14))
    with pytest.raises(LedgerStale) as stale:
        require_live(connection, utc_now() + timedelta(minutes=6), stale_minutes=5)
    assert stale.value.minutes == 5


def test_three_missed_intervals_show_before_anything_is_refused(connection: Connection, database_url: str):
    seal(database_url, KeySigner())
    at = utc_now()
    assert not read_standing(connection, at).degraded
    late = read_standing(connection, at + timedelta(seconds=4), ["witness-1"])
    assert (late.degraded, late.stale, late.missing) == (True, False, ("witness-1",))


def test_a_leaf_of_another_kind_is_told_apart_by_its_members(connection: Connection):
    made = append(connection, Leaf("release.page", "public", decision="denied", rows=0), utc_now())
    found = leaf_store.find_leaf(connection, made)
    assert found is not None
    assert read_record(found.bytes)["decision"] == "denied"
