"""What the owner of the database, even with the ledger's key, can do to the past, and who notices."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_maker import KeySigner, seal, tamper, utc_now, verified, write_leaves
from psycopg import Connection

from hub.ledger import checkpoint_store, tree_store
from hub.ledger.checkpoint import Checkpoint, Note, SignatureLine, signed
from hub.ledger.errors import WitnessRefused
from hub.ledger.standing import read_standing
from hub.ledger.tree import EMPTY_ROOT, Tree, leaf_hashes
from hub.ledger.witness import Witness, watch
from hub.store.connect import connect


@dataclass
class Scene:
    """A ledger of 40 leaves under four checkpoints, and a witness that saw the last."""

    url: str
    conn: Connection
    signer: KeySigner
    witness: Witness
    folder: Path

    def codes(self, *, witnessed: bool = True) -> set[str]:
        memories = {"witness-1": self.witness.memory} if witnessed else {}
        return {one.code for one in verified(self.url, self.signer, memories).findings}

    def watch(self) -> bool:
        with closing(connect(self.url, "witness", autocommit=True)) as conn:
            return watch(conn, self.witness, utc_now())


@pytest.fixture
def scene(connection: Connection, database_url: str, tmp_path: Path) -> Scene:
    signer = KeySigner()
    made = Scene(database_url, connection, signer, Witness("witness-1", KeySigner(), tmp_path / "seen.json"), tmp_path)
    for step in range(4):
        write_leaves(connection, 10, step * 10)
        assert seal(database_url, signer) == 10
        if step >= 2:
            assert made.watch()
    assert made.codes() == set()
    return made


def rewrite(scene: Scene, signer: KeySigner) -> None:
    """Another past, made whole: order, tiles, cursor and a checkpoint signed with the real key."""
    records = [record or b"" for _, record in tree_store.sealed_records(scene.conn, 0, 1_000)]
    tree = Tree()
    tiles = tree.extend(leaf_hashes(records))
    last = scene.conn.execute("SELECT max(xid::text::bigint), max(id) FROM ledger_leaf").fetchone()
    assert last is not None
    origin = tree_store.read_head(scene.conn).origin
    tamper(scene.conn, "DELETE FROM ledger_cosignature", "DELETE FROM ledger_checkpoint", "DELETE FROM ledger_tile")
    tree_store.put_tiles(scene.conn, tiles)
    scene.conn.execute("UPDATE ledger_head SET size = %s", [tree.size])
    now = utc_now()
    head = Checkpoint(origin, tree.size, tree.root(), int(now.timestamp() * 1000), 0, EMPTY_ROOT)
    checkpoint_store.add_checkpoint(scene.conn, signed(head, origin, signer), now)
    scene.conn.commit()


FLIP = (
    "UPDATE ledger_leaf SET bytes = set_byte(bytes, 20, get_byte(bytes, 20) # 1)"
    " WHERE leaf = (SELECT leaf FROM ledger_sealed WHERE leaf_index = 5)"
)
DELETE = "DELETE FROM ledger_leaf WHERE leaf = (SELECT leaf FROM ledger_sealed WHERE leaf_index = 5)"
SWAP = (
    "UPDATE ledger_leaf one SET bytes = other.bytes FROM ledger_leaf other, ledger_sealed a, ledger_sealed b"
    " WHERE a.leaf_index = 5 AND b.leaf_index = 7"
    " AND (one.leaf, other.leaf) IN ((a.leaf, b.leaf), (b.leaf, a.leaf))"
)
BACK_DATE = "INSERT INTO ledger_leaf (xid, leaf, bytes) VALUES ('3'::xid8, gen_random_uuid(), '{\"back\":1}')"
CUT_TAIL = (
    "DELETE FROM ledger_cosignature WHERE checkpoint > 2; DELETE FROM ledger_checkpoint WHERE number > 2;"
    "DELETE FROM ledger_leaf WHERE leaf IN (SELECT leaf FROM ledger_sealed WHERE leaf_index >= 20);"
    "DELETE FROM ledger_sealed WHERE leaf_index >= 20; UPDATE ledger_head SET size = 20;"
    "UPDATE ledger_tile SET hashes = substr(hashes, 1, 640)"
)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (FLIP, {"root_differs", "tile_differs"}),
        (DELETE, {"leaf_gone", "root_differs", "tile_differs"}),
        (SWAP, {"root_differs", "tile_differs"}),
        (BACK_DATE, {"leaves_missed"}),
        ("DELETE FROM ledger_sealed WHERE leaf_index = 5", {"index_missing"}),
        ("UPDATE ledger_checkpoint SET root = decode(repeat('00', 32), 'hex') WHERE number = 2", {"root_differs"}),
        ("DELETE FROM ledger_checkpoint WHERE number = 2", {"chain_broken"}),
        ("UPDATE ledger_checkpoint SET note = replace(note, 'ts 1', 'ts 2') WHERE number = 2", {"signature_wrong"}),
        ("UPDATE ledger_checkpoint SET note = note || 'x' WHERE number = 2", {"checkpoint_wrong"}),
        ("UPDATE ledger_cosignature SET line = replace(line, 'witness-1', 'witness-9')", {"cosignature_wrong"}),
    ],
)
def test_a_change_of_the_past_is_found_without_any_witness(scene: Scene, change: str, codes: set[str]):
    tamper(scene.conn, change)
    assert codes <= scene.codes(witnessed=False)


def test_a_flipped_byte_is_found_at_its_leaf(scene: Scene):
    tamper(scene.conn, FLIP)
    sentences = [one.en for one in verified(scene.url, scene.signer).findings if one.code == "tile_differs"]
    assert sentences == ["a tile does not fit the leaves, from leaf 5 on"]


def test_a_tail_cut_off_in_whole_is_found_by_the_witness_alone(scene: Scene):
    tamper(scene.conn, *CUT_TAIL.split(";"))
    assert scene.codes(witnessed=False) == set()
    assert scene.codes() == {"tail_cut"}
    with pytest.raises(WitnessRefused) as refused:
        scene.watch()
    assert refused.value.reason == "rollback"


def test_a_past_rewritten_and_signed_with_the_real_key_is_found_by_the_witness_alone(scene: Scene):
    tamper(scene.conn, FLIP)
    rewrite(scene, scene.signer)
    assert scene.codes(witnessed=False) == set()
    assert scene.codes() == {"witness_differs"}
    with pytest.raises(WitnessRefused) as refused:
        scene.watch()
    assert refused.value.reason == "fork"
    standing = read_standing(scene.conn, utc_now())
    assert [(one.raised_by, one.code) for one in standing.alarms] == [("witness-1", "witness_fork")]
    assert standing.alarmed
    assert not standing.sound
    assert not read_standing(scene.conn, utc_now() + timedelta(days=2)).alarmed


def test_a_fork_that_grows_past_what_the_witness_saw_is_refused_too(scene: Scene):
    tamper(scene.conn, FLIP)
    rewrite(scene, scene.signer)
    write_leaves(scene.conn, 25, 40)
    seal(scene.url, scene.signer)
    with pytest.raises(WitnessRefused) as refused:
        scene.watch()
    assert refused.value.reason == "fork"


def test_a_past_signed_with_another_key_is_refused_by_the_witness(scene: Scene):
    rewrite(scene, KeySigner())
    with pytest.raises(WitnessRefused) as refused:
        scene.watch()
    assert refused.value.reason == "signature"


def test_the_witness_goes_on_after_a_restart_from_what_it_remembers(scene: Scene):
    again = Witness("witness-1", scene.witness.signer, scene.folder / "seen.json")
    assert again.memory == scene.witness.memory
    assert again.memory.size == 40
    write_leaves(scene.conn, 3, 40)
    seal(scene.url, scene.signer)
    scene.witness = again
    assert scene.watch()
    assert not scene.watch()
    assert scene.codes() == set()


def no_path(earlier: int, later: int) -> list[bytes]:
    raise AssertionError(f"nobody should ask for a proof from {earlier} to {later}")


def replayed(scene: Scene) -> str:
    found = checkpoint_store.list_checkpoints(scene.conn, 0, 10)
    return found[2].note


def resigned(scene: Scene, **members: object) -> str:
    newest = checkpoint_store.newest(scene.conn)
    assert newest is not None
    checkpoint = replace(newest.parsed().checkpoint, **members)  # pyright: ignore[reportArgumentType]  # its members
    return signed(checkpoint, newest.parsed().checkpoint.origin, scene.signer).to_text()


SHOWN: dict[str, tuple[Callable[[Scene], str], str]] = {
    "an old checkpoint": (replayed, "rollback"),
    "the same size, signed earlier": (lambda scene: resigned(scene, unix_ms=1_000_000_000_000), "replay"),
    "the same size, another root": (lambda scene: resigned(scene, root=bytes(32)), "fork"),
    "another ledger": (lambda scene: resigned(scene, origin="hub/ledger/other"), "signature"),
    "the far future": (lambda scene: resigned(scene, unix_ms=5_000_000_000_000), "clock"),
    "no checkpoint": (lambda _: "hello", "signature"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_a_witness_cosigns_nothing_but_what_goes_on_from_what_it_saw(scene: Scene, case: str):
    show, reason = SHOWN[case]
    seen = scene.witness.memory
    with pytest.raises(WitnessRefused) as refused:
        scene.witness.look(show(scene), scene.signer.public_pem, lambda _, __: [], utc_now())
    assert refused.value.reason == reason
    assert scene.witness.memory.note == seen.note
    assert len(scene.witness.memory.alarms) == 1
    with pytest.raises(WitnessRefused):
        scene.witness.look(show(scene), scene.signer.public_pem, lambda _, __: [], utc_now())
    assert len(scene.witness.memory.alarms) == 1


def test_a_witness_asks_for_no_proof_of_what_it_refuses_anyway(scene: Scene):
    with pytest.raises(WitnessRefused):
        scene.witness.look(replayed(scene), scene.signer.public_pem, no_path, utc_now())


def test_a_ledger_that_stopped_signing_is_late(scene: Scene):
    now = utc_now()
    scene.witness.look_at_time(now)
    with pytest.raises(WitnessRefused) as refused:
        scene.witness.look_at_time(now + timedelta(minutes=4))
    assert refused.value.reason == "late"


def test_a_witness_that_stopped_is_missing(scene: Scene):
    now = utc_now()
    assert read_standing(scene.conn, now, ["witness-1"]).missing == ()
    assert read_standing(scene.conn, now + timedelta(minutes=4), ["witness-1", "witness-2"]).missing == (
        "witness-1",
        "witness-2",
    )


def test_a_cosignature_is_one_of_the_witness_over_the_same_text(scene: Scene):
    newest = checkpoint_store.newest(scene.conn)
    assert newest is not None
    note = checkpoint_store.with_cosignatures(scene.conn, newest)
    note.verify(note.checkpoint.origin, scene.signer.public_pem)
    note.verify("witness-1", scene.witness.signer.public_pem)
    assert isinstance(note, Note)
    assert all(isinstance(line, SignatureLine) for line in note.signatures)
