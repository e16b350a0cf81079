"""A witness: cosigns a checkpoint when it goes on from the last one it cosigned, and says so loudly when it does not.

Whoever holds the ledger's key can write and sign another past; nobody can make a witness forget the one it has seen. A
witness trusts the ledger's key that it was given, or saw first, and nothing that the database says besides: it asks for
a checkpoint and for a consistency proof, and checks both.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg import Connection, Error, OperationalError

from hub.ledger import checkpoint_store, tree_store
from hub.ledger.checkpoint import Checkpoint, Note, SignatureLine, Signer, parse_note, signature_line
from hub.ledger.checkpoint_store import StoredCheckpoint
from hub.ledger.errors import CheckpointWrong, LedgerDamaged, ProofWrong, WitnessRefused
from hub.ledger.proof import consistency_path, verify_consistency
from hub.ledger.sealer import FRESH_SECONDS
from hub.ledger.witness_memory import Memory, read_memory, write_memory
from hub.observations import LedgerAlarmRaised, StoreLost, observe
from hub.store.errors import StoreError

LOOK_SECONDS = 1.0
AHEAD_SECONDS_MAX = 60  # of the witness's own clock
LATE_SECONDS = FRESH_SECONDS * 3  # a ledger signs its head again at least every FRESH_SECONDS
PAUSE_SECONDS_MAX = 5.0

Clock = Callable[[], datetime]
PathOf = Callable[[int, int], Sequence[bytes]]  # consistency proof from a size to a size


class Witness:
    """One witness with its key and its memory. Knows no database: it is shown notes and asks for proofs."""

    def __init__(self, name: str, signer: Signer, file: Path, ledger_pem: str = "") -> None:
        """Read what the file remembers; ``ledger_pem`` is the ledger's public key where it is known beforehand.

        Raises:
            WitnessStateUnusable: the file is there and cannot be read.
        """
        self.name = name
        self.signer = signer
        self._file = file
        self._memory = read_memory(file)
        self._since: datetime | None = None
        if ledger_pem and not self._memory.ledger_pem:
            self._memory = replace(self._memory, ledger_pem=ledger_pem)

    @property
    def memory(self) -> Memory:
        """What it has seen."""
        return self._memory

    def look(self, note_text: str, shown_pem: str, path_of: PathOf, now: datetime) -> SignatureLine | None:
        """Check a checkpoint and cosign it; None for the very one cosigned last.

        Args:
            note_text: the signed checkpoint.
            shown_pem: the ledger's public key as it is shown; believed only when no other was seen before.
            path_of: gives the consistency proof from one size to another.
            now: the witness's own clock.

        Raises:
            WitnessRefused: it does not go on from what was seen: an alarm, which is remembered.
        """
        try:
            note = self._checked(note_text, shown_pem, now)
            if note.checkpoint.unix_ms == self._memory.unix_ms and note.to_text() == self._memory.note:
                return None
            self._goes_on(note.checkpoint, path_of)
        except WitnessRefused as refused:
            self._remember_alarm(refused, now)
            raise
        checkpoint = note.checkpoint
        line = signature_line(checkpoint, self.name, self.signer)
        memory = replace(
            self._memory,
            origin=checkpoint.origin,
            ledger_pem=self._memory.ledger_pem or shown_pem,
            size=checkpoint.size,
            root=checkpoint.root,
            unix_ms=checkpoint.unix_ms,
            note=note.to_text(),
        )
        write_memory(self._file, memory)  # before the signature is anybody else's
        self._memory = memory
        return line

    def look_at_time(self, now: datetime) -> None:
        """Say so when the newest checkpoint seen is too old: the ledger stopped, or this witness is kept from it.

        Raises:
            WitnessRefused: it is late.
        """
        self._since = self._since or now  # while nobody watched, the hub may have been stopped
        seen_at = datetime.fromtimestamp(self._memory.unix_ms / 1000, UTC)
        if (now - max(seen_at, self._since)).total_seconds() > LATE_SECONDS:
            refused = self._refused("late", "检查点迟迟没有更新", "the ledger has not signed a head for too long")
            self._remember_alarm(refused, now)
            raise refused

    def _checked(self, note_text: str, shown_pem: str, now: datetime) -> Note:
        try:
            note = parse_note(note_text.encode())
            note.verify(note.checkpoint.origin, self._memory.ledger_pem or shown_pem)
        except CheckpointWrong as error:
            raise self._refused("signature", error.problem_zh, error.problem_en) from error
        if self._memory.origin not in {"", note.checkpoint.origin}:
            raise self._refused("origin", "这是另一个台账", "this is another ledger")
        if note.checkpoint.unix_ms > (now.timestamp() + AHEAD_SECONDS_MAX) * 1000:
            raise self._refused("clock", "检查点的时间在未来", "the checkpoint's time lies ahead")
        return note

    def _goes_on(self, checkpoint: Checkpoint, path_of: PathOf) -> None:
        seen = self._memory
        if checkpoint.size < seen.size:
            what = f"{checkpoint.size} < {seen.size}"
            raise self._refused("rollback", f"台账比见过的小:{what}", f"the ledger is smaller than it was: {what}")
        try:
            path = path_of(seen.size, checkpoint.size)
            verify_consistency(seen.size, seen.root, checkpoint.size, checkpoint.root, path)
        except ProofWrong as error:
            raise self._refused("fork", error.problem_zh, error.problem_en) from error
        except LedgerDamaged as error:
            raise self._refused("damaged", error.problem_zh, error.problem_en) from error
        if checkpoint.unix_ms <= seen.unix_ms:
            raise self._refused("replay", "检查点比见过的旧", "the checkpoint is older than the one seen last")

    def _refused(self, reason: str, zh: str, en: str) -> WitnessRefused:
        return WitnessRefused(self.name, reason, zh, en)

    def _remember_alarm(self, refused: WitnessRefused, now: datetime) -> None:
        if not self._memory.alarms or f"({refused.reason})" not in self._memory.alarms[-1]:
            self._memory = self._memory.with_alarm(f"{now.isoformat(timespec='seconds')} {refused.sentence('en')}")
            write_memory(self._file, self._memory)


def watch(conn: Connection, witness: Witness, now: datetime) -> bool:
    """Show the witness the newest checkpoint and publish its cosignature; whether there was a new one.

    Raises:
        WitnessRefused: an alarm; it stands in the database too, as far as that can be written.
    """
    stored = checkpoint_store.newest(conn)
    if stored is None:
        return False
    try:
        line = witness.look(stored.note, _shown_pem(conn, stored), _paths_of(conn), now)
        witness.look_at_time(now)
    except WitnessRefused as refused:
        code, sentences = f"witness_{refused.reason}", (refused.sentence("zh"), refused.sentence("en"))
        with suppress(Error), conn.transaction():
            checkpoint_store.raise_alarm(conn, witness.name, code, sentences, now)
        observe(LedgerAlarmRaised(witness.name, code))
        raise
    if line is None:
        return False
    with conn.transaction():
        checkpoint_store.keep_key(conn, witness.name, "witness", witness.signer.public_pem, now)
        checkpoint_store.add_cosignature(conn, stored.number, witness.name, line, now)
    return True


def _shown_pem(conn: Connection, stored: StoredCheckpoint) -> str:
    note = stored.parsed()
    keys = [key for key in checkpoint_store.list_keys(conn) if key.kind == "ledger"]
    return next((key.public_pem for key in keys if note.signed_by(key.name, key.public_pem)), "")


def _paths_of(conn: Connection) -> PathOf:
    def path(earlier: int, size: int) -> Sequence[bytes]:
        return consistency_path(earlier, size, tree_store.nodes_of(conn))

    return path


def keep_watching(
    connected: Callable[[], AbstractContextManager[Connection]],
    witness: Witness,
    clock: Clock,
    stopping: Callable[[], bool],
) -> None:
    """Look at every new checkpoint until told to stop, through any loss of the store. An alarm does not end it."""
    pause = 0.1
    while not stopping():
        try:
            with connected() as conn:
                while not stopping():
                    with suppress(WitnessRefused):
                        watch(conn, witness, clock())
                    pause = 0.1
                    _sleep(LOOK_SECONDS, stopping)
        except (OperationalError, StoreError) as error:
            observe(StoreLost(type(error).__name__, pause))
            _sleep(pause, stopping)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _sleep(seconds: float, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopping():
        time.sleep(0.05)
