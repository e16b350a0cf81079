"""The whole ledger verified: the tree grown again from the leaves, against every checkpoint, tile, key and witness.

The keys and what the witnesses remember come from outside the database: whoever can rewrite the one cannot rewrite the
other, and a past that was rewritten as a whole, with the real key, shows only there.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import Connection

from hub.ledger import checkpoint_store, tree_store
from hub.ledger.checkpoint_store import LedgerKey, StoredCheckpoint
from hub.ledger.errors import CheckpointWrong
from hub.ledger.tree import EMPTY_ROOT, HASH_BYTES, TILE_BYTES, Place, Tree, leaf_hashes
from hub.ledger.witness_memory import Memory

STEP = 10_000
FINDINGS_MAX = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed."""

    code: str
    zh: str
    en: str


@dataclass(slots=True)
class Verified:
    """What a verification went through, and what it found."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    checkpoints: int = 0
    cosignatures: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])

    def find(self, code: str, zh: str, en: str) -> None:
        """Keep a finding; the first fifty tell enough."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code, zh, en))


def verify_ledger(conn: Connection, trusted: Sequence[str], memories: Mapping[str, Memory]) -> Verified:
    """Verify everything, at one moment. The first statement of its transaction is its own.

    Args:
        conn: the store, at the beginning of a transaction.
        trusted: public keys (PEM) the ledger may have signed with, from outside the database.
        memories: what each witness remembers.
    """
    tree_store.freeze(conn)
    return _Verification(conn, trusted, memories).run()


class _Verification:
    def __init__(self, conn: Connection, trusted: Sequence[str], memories: Mapping[str, Memory]) -> None:
        self._conn = conn
        self._trusted = trusted
        self._stops = deque(sorted((memory.size, name, memory) for name, memory in memories.items() if memory.origin))
        self._head = tree_store.read_head(conn)
        self._keys = checkpoint_store.list_keys(conn)
        self._tree = Tree()
        self._waiting: deque[bytes] = deque()
        self._tiles: dict[Place, bytes] = {}
        self._ended = False
        self._done = Verified()

    def run(self) -> Verified:
        previous = (0, EMPTY_ROOT)
        for stored in self._checkpoints():
            self._check_checkpoint(stored, previous)
            previous = (stored.size, stored.root)
            self._done.checkpoints += 1
        self._grow(None)
        self._check_tiles(last=True)
        self._check_rest(previous[0])
        self._done.size, self._done.root = self._tree.size, self._tree.root()
        return self._done

    def _checkpoints(self) -> Iterator[StoredCheckpoint]:
        after = 0
        while found := checkpoint_store.list_checkpoints(self._conn, after, STEP):
            yield from found
            after = found[-1].number

    def _check_checkpoint(self, stored: StoredCheckpoint, previous: tuple[int, bytes]) -> None:
        name = f"{stored.number} ({stored.size})"
        try:
            note = stored.parsed()
        except CheckpointWrong as error:
            self._done.find(
                "checkpoint_wrong", f"检查点 {name}:{error.problem_zh}", f"checkpoint {name}: {error.problem_en}"
            )
            return
        checkpoint = note.checkpoint
        if (checkpoint.origin, checkpoint.size, checkpoint.root) != (self._head.origin, stored.size, stored.root):
            self._done.find(
                "checkpoint_differs", f"检查点 {name} 与其文本不符", f"checkpoint {name} is not what its text says"
            )
        if not any(note.signed_by(checkpoint.origin, pem) for pem in self._trusted):
            self._done.find(
                "signature_wrong", f"检查点 {name} 没有可信密钥的签名", f"no trusted key signed checkpoint {name}"
            )
        if (checkpoint.previous_size, checkpoint.previous_root) != previous:
            self._done.find(
                "chain_broken", f"检查点 {name} 不接续前一个", f"checkpoint {name} does not follow the one before"
            )
        self._check_cosignatures(stored, name)
        self._grow(stored.size)
        if self._tree.size == stored.size and self._tree.root() != stored.root:
            self._done.find(
                "root_differs", f"条目算出的根与检查点 {name} 不同", f"the leaves do not lead to checkpoint {name}"
            )
        elif self._tree.size != stored.size:
            size = self._tree.size
            self._done.find(
                "leaves_short",
                f"检查点 {name} 之下只有 {size} 个条目",
                f"there are only {size} leaves under checkpoint {name}",
            )

    def _check_cosignatures(self, stored: StoredCheckpoint, name: str) -> None:
        try:
            note = checkpoint_store.with_cosignatures(self._conn, stored)
        except CheckpointWrong:
            self._done.find("cosignature_wrong", f"检查点 {name} 的联署无法读取", f"a cosignature of {name} is not one")
            return
        for line in note.signatures[1:]:
            if not any(note.signed_by(key.name, key.public_pem) for key in self._keys_of(line.name)):
                self._done.find(
                    "cosignature_wrong",
                    f"检查点 {name} 上 {line.name} 的联署有误",
                    f"the cosignature of {line.name} under checkpoint {name} is not right",
                )
            self._done.cosignatures += 1

    def _keys_of(self, witness: str) -> list[LedgerKey]:
        return [key for key in self._keys if key.name == witness and key.kind == "witness"]

    def _grow(self, size: int | None) -> None:
        """Grow the tree to a size, or to the end; stops where a witness remembers a root."""
        while not self._ended and (size is None or self._tree.size < size):
            stop = self._stops[0][0] if self._stops else None
            until = min((one for one in (size, stop) if one is not None), default=None)
            if until is None or until > self._tree.size:
                self._take(None if until is None else until - self._tree.size)
            self._meet_witnesses()
        self._meet_witnesses()

    def _take(self, count: int | None) -> None:
        if not self._waiting:
            self._read()
        taken = min(len(self._waiting), len(self._waiting) if count is None else count)
        hashes = [self._waiting.popleft() for _ in range(taken)]
        self._tiles |= self._tree.extend(hashes)
        if len(self._tiles) > STEP // 100:
            self._check_tiles(last=False)

    def _read(self) -> None:
        first = self._tree.size
        found = tree_store.sealed_records(self._conn, first, STEP)
        self._ended = not found
        records: list[bytes] = []
        for at, (index, record) in enumerate(found):
            if index != first + at:
                self._done.find("index_missing", f"缺少序号 {first + at}", f"index {first + at} is missing")
                self._ended = True
                break
            if record is None:
                self._done.find("leaf_gone", f"序号 {index} 的条目已被删除", f"the leaf at index {index} is gone")
            records.append(record or b"")
        self._waiting.extend(leaf_hashes(records))

    def _meet_witnesses(self) -> None:
        while self._stops and self._stops[0][0] == self._tree.size:
            _, name, memory = self._stops.popleft()
            if memory.root != self._tree.root():
                zh = f"见证人 {name} 在大小 {memory.size} 处记得另一个根:历史被改写"
                en = f"witness {name} remembers another root at {memory.size}: the past was rewritten"
                self._done.find("witness_differs", zh, en)

    def _check_tiles(self, *, last: bool) -> None:
        ready = {place: tile for place, tile in self._tiles.items() if last or len(tile) == TILE_BYTES}
        stored = tree_store.read_tiles(self._conn, list(ready))
        for place, tile in ready.items():
            if stored.get(place) != tile:
                where = _first_difference(place, tile, stored.get(place, b""))
                self._done.find(
                    "tile_differs", f"瓦片与条目不符,{where[0]}", f"a tile does not fit the leaves, {where[1]}"
                )
            del self._tiles[place]

    def _check_rest(self, signed_size: int) -> None:
        size = self._tree.size
        if not size == self._head.size == signed_size:
            self._done.find(
                "size_differs",
                f"已封存 {size},表头 {self._head.size},最后签名 {signed_size}",
                f"sealed are {size}, the head says {self._head.size}, signed are {signed_size}",
            )
        if missed := tree_store.count_missed(self._conn):
            self._done.find(
                "leaves_missed",
                f"游标之前有 {missed} 个条目未封存",
                f"{missed} leaves behind the cursor are not sealed",
            )
        for _, name, memory in self._stops:
            zh = f"见证人 {name} 见过 {memory.size} 个条目:尾部被截断"
            en = f"witness {name} has seen {memory.size} leaves: the tail was cut off"
            self._done.find("tail_cut", zh, en)


def _first_difference(place: Place, tile: bytes, stored: bytes) -> tuple[str, str]:
    level, number = place
    for at in range(0, TILE_BYTES, HASH_BYTES):
        if tile[at : at + HASH_BYTES] != stored[at : at + HASH_BYTES]:
            index = number * (TILE_BYTES // HASH_BYTES) + at // HASH_BYTES
            if level == 0:
                return f"自序号 {index} 起", f"from leaf {index} on"
            return f"第 {level} 层第 {index} 个", f"at level {level}, number {index}"
    return "长度不同", "in its length"
