"""Signatures of batches as they are kept: evidence against the sender's denial, as long as the receipt stands."""

from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from schemas.envelope import Envelope
from schemas.signature import SignatureSlot, signing_input


@dataclass(frozen=True, slots=True)
class KeptSignature:
    """What anyone verifies with the sender's public key.

    Args:
        sender: whose key.
        key_id: which of the sender's keys.
        envelope: the text under the signature.
        signature: DER.
    """

    sender: str
    key_id: str
    envelope: str
    signature: bytes


def keep_signature(conn: Connection, envelope: Envelope, slot: SignatureSlot) -> None:
    """Keep a verified signature beside the receipt, which is there already."""
    conn.execute(
        "INSERT INTO batch_signature (organization, batch, sender, key_id, envelope, signature)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [
            envelope.organization,
            str(envelope.batch),
            envelope.sender,
            slot.key_id,
            signing_input(envelope).decode("ascii"),
            slot.der,
        ],
    )


def find_signature(conn: Connection, organization: str, batch: UUID) -> KeptSignature | None:
    """The signature of a batch; None where it came without."""
    with conn.cursor(row_factory=class_row(KeptSignature)) as cursor:
        return cursor.execute(
            "SELECT sender, key_id, envelope, signature FROM batch_signature WHERE organization = %s AND batch = %s",
            [organization, batch],
        ).fetchone()
