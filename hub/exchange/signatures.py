"""Who must sign a batch, and whether a signature is right. The door asks early, the worker asks again and decides.

The key must be the envelope's **sender**'s: it is the sender who signs, and who may send for whom is the mandate's
affair. It must count at the instant the batch **reached the hub** (the log's own clock, ``appended_at``), not at
``cut_at``: that is what the signer says, and an ended key in strange hands would say an earlier one; and a connector
signs when it sends, so that what waited in its outbox goes out under its present key, which may be younger than
``cut_at``. Nor at the worker's time: what was acknowledged while its key counted is not refused because a worker was
slow. A log that is Kafka must stamp messages itself (``message.timestamp.type=LogAppendTime``). Revocation knows no
such grace: a revoked key counts for nothing that is not applied yet.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.key_store import SigningRules, signing_rules
from hub.exchange.signature_errors import (
    SignatureKeyNotValid,
    SignatureKeyRevoked,
    SignatureKeyUnknown,
    SignatureMissing,
    SignatureWrong,
)
from schemas.envelope import Envelope
from schemas.signature import HEADER, SignatureSlot, signing_input

REMEMBERED_SECONDS: Final = 1.0  # a key revoked, a duty to sign: both count within this time
SENDERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    rules: SigningRules
    until: float


class Signatures:
    """Checks batches against the keys and duties of their senders. Threads may share it."""

    def __init__(self) -> None:
        self._senders: dict[str, _Remembered] = {}

    def check(
        self, conn: Connection, envelope: Envelope, headers: Mapping[str, bytes], arrived_at: datetime
    ) -> SignatureSlot | None:
        """The signature of a batch, verified; None where it has none and needs none.

        Args:
            conn: to read the sender's keys with, at most once a second for each sender.
            envelope: what was signed; its canonical text is what came.
            headers: of the message.
            arrived_at: when the batch reached the hub.

        Raises:
            SignatureMalformed, SignatureError: the batch is refused whole.
        """
        header = headers.get(HEADER)
        slot = None if header is None else SignatureSlot.from_header(header.decode("latin-1"))
        rules = self._rules(conn, envelope.sender)
        if slot is None:
            if rules.required:
                raise SignatureMissing(sender=envelope.sender)
            return None
        _verify(rules, envelope, slot, arrived_at)
        return slot

    def _rules(self, conn: Connection, sender: str) -> SigningRules:
        remembered = self._senders.get(sender)
        if remembered is None or remembered.until < time.monotonic():
            if len(self._senders) >= SENDERS_MAX:
                self._senders.clear()
            until = time.monotonic() + REMEMBERED_SECONDS
            remembered = self._senders[sender] = _Remembered(signing_rules(conn, sender), until)
        return remembered.rules


def _verify(rules: SigningRules, envelope: Envelope, slot: SignatureSlot, arrived_at: datetime) -> None:
    named = {"sender": envelope.sender, "key_id": slot.key_id}
    key = rules.keys.get(slot.key_id)
    if key is None:
        raise SignatureKeyUnknown(**named)
    match key.standing(arrived_at):
        case "revoked":
            raise SignatureKeyRevoked(**named)
        case "early" | "ended":
            begins, ends = (at.isoformat(timespec="seconds") for at in (key.valid_from, key.valid_until))
            raise SignatureKeyNotValid(**named, valid_from=begins, valid_until=ends)
        case "valid":
            if not key.public.verify(signing_input(envelope), slot.der):
                raise SignatureWrong(**named)
