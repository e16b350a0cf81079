"""A ledger to test: a key, leaves, a sealer."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg import Connection

from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append_many
from hub.ledger.sealer import SESSION_SETTINGS, Sealer
from hub.ledger.verification import Verified, verify_ledger
from hub.ledger.witness_memory import Memory
from hub.store.connect import connect
from schemas.national.sm2 import PrivateKey


class KeySigner:
    """A key in memory."""

    def __init__(self) -> None:
        self._key = PrivateKey.generate()

    @property
    def public_pem(self) -> str:
        return self._key.public.to_pem()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def utc_now() -> datetime:
    return datetime.now(UTC)


def leaf(number: int = 0, **members: object) -> Leaf:
    values: dict[str, object] = {"actor": "organization:gong-an", "actor_org": "gong-an", "object": f"grant:{number}"}
    return Leaf(action="grant.given", **(values | members))  # pyright: ignore[reportArgumentType]  # members of Leaf


def write_leaves(conn: Connection, count: int, first: int = 0) -> list[str]:
    """Leaves of one transaction, committed."""
    ids = append_many(conn, [leaf(number) for number in range(first, first + count)], utc_now())
    if not conn.autocommit:
        conn.commit()
    return ids


@contextmanager
def opened_sealer(url: str, signer: KeySigner, rows_max: int = 20_000) -> Generator[Sealer]:
    """A sealer that has begun."""
    with (
        connect(url, "hub sealer", autocommit=True, settings=SESSION_SETTINGS) as conn,
        connect(url, "hub sealer reads", autocommit=True) as reader,
    ):
        sealer = Sealer(conn, reader, signer, utc_now, rows_max)
        assert sealer.begin()
        yield sealer


def seal(url: str, signer: KeySigner) -> int:
    """Seal what there is."""
    with opened_sealer(url, signer) as sealer:
        return sealer.turn()


def tamper(conn: Connection, *statements: str) -> None:
    """Do what the owner of a database can do to it."""
    conn.execute("GRANT ALL ON ledger_leaf, ledger_sealed, ledger_checkpoint TO CURRENT_USER")
    for table in ("ledger_leaf", "ledger_sealed", "ledger_checkpoint"):
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # pyright: ignore[reportArgumentType, reportCallIssue]  # one of three names
    for statement in statements:
        conn.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]  # written in the test
    conn.commit()


def verified(url: str, signer: KeySigner, memories: Mapping[str, Memory] | None = None) -> Verified:
    """The whole ledger verified, at this moment."""
    with connect(url, "verify") as conn:
        return verify_ledger(conn, [signer.public_pem], memories or {})
