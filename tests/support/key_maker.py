"""Signing keys of organizations, registered for tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from catalog.caller import Caller
from hub.acts import keys
from schemas.envelope import HEADER as ENVELOPE
from schemas.envelope import Envelope
from schemas.national.sm2 import PrivateKey
from schemas.signature import HEADER, SignatureSlot, signing_input

ADMINISTRATOR = Caller("person:11111111-1111-7111-8111-111111111111", roles=frozenset({"administrator"}), person="p1")
STRANGER = Caller("organization:gong-an", "gong-an", tier="department")


@dataclass(frozen=True, slots=True)
class Pair:
    """A key pair that signs under a name."""

    key_id: str
    key: PrivateKey

    def header(self, envelope: Envelope) -> str:
        return SignatureSlot(self.key_id, self.key.sign(signing_input(envelope))).to_header()

    def headers(self, envelope: Envelope) -> Mapping[str, bytes]:
        """A message's headers: envelope and signature."""
        return {ENVELOPE: envelope.to_bytes(), HEADER: self.header(envelope).encode()}


def registered(
    conn: Connection, organization: str, key_id: str = "k1", *, begins_days: float = -1, ends_days: float = 30
) -> Pair:
    """A new key of an organization, from and until so many days from now. Terms that are over are written directly."""
    pair = Pair(key_id, PrivateKey.generate())
    now = datetime.now(UTC)
    begins, ends = now + timedelta(days=begins_days), now + timedelta(days=ends_days)
    at = min(now, begins)
    keys.add_key(conn, ADMINISTRATOR, organization, key_id, pair.key.public.to_pem(), begins, ends, at)
    return pair
