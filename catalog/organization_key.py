"""A public key of an organization: what its batches are verified with, from when until when.

Two keys may overlap, so that the next one is registered before the last one ends. A key is never changed and never
registered again; what was signed with it stays verifiable after it has ended.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from catalog.key_errors import OrganizationKeyWrong
from schemas.national.sm2 import PublicKey

KEYS_MAX: Final = 2
DAYS_MAX: Final = 1_826  # five years
_KEY_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")

KeyStanding = Literal["valid", "early", "ended", "revoked"]


@dataclass(frozen=True, slots=True)
class OrganizationKey:
    """One row of table organization_key.

    Args:
        organization: whose.
        key_id: its name in the header ``hub-signature``.
        pem: SubjectPublicKeyInfo.
        fingerprint: SM3 of the SubjectPublicKeyInfo, hexadecimal.
        valid_from: the first instant it counts.
        valid_until: the first instant it counts no more.
        added_at: when it was registered.
        revoked_at: when it was ended before its time; what comes with it afterwards is refused.
    """

    organization: str
    key_id: str
    pem: str
    fingerprint: str
    valid_from: datetime
    valid_until: datetime
    added_at: datetime
    revoked_at: datetime | None = None

    @property
    def public(self) -> PublicKey:
        """The key itself."""
        return _public_of(self.pem)

    def standing(self, at: datetime) -> KeyStanding:
        """Whether it counts for what came at ``at``.

        A revoked key counts for nothing any more, whenever it came: from the moment a key is in strange hands nobody
        can tell who signed what, and a batch that still waits can be sent again under another key.
        """
        if self.revoked_at is not None:
            return "revoked"
        if at < self.valid_from:
            return "early"
        return "valid" if at < self.valid_until else "ended"


@lru_cache(maxsize=1024)
def _public_of(pem: str) -> PublicKey:
    return PublicKey.from_pem(pem)  # a tenth of the time a signature takes, for each batch


def make_key(
    organization: str, key_id: str, pem: str, valid_from: datetime, valid_until: datetime, now: datetime
) -> OrganizationKey:
    """A key as it is registered.

    Raises:
        OrganizationKeyWrong: id or term breaks its rule.
        KeyUnreadable: the text is no SM2 public key; a private one is refused by name.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise OrganizationKeyWrong(field="key_id", rule=_KEY_ID.pattern)
    if not max(valid_from, now) < valid_until <= valid_from + timedelta(days=DAYS_MAX):
        raise OrganizationKeyWrong(field="valid_until", rule=f"now, valid_from < valid_until <= {DAYS_MAX} d")
    public = PublicKey.from_pem(pem)
    return OrganizationKey(organization, key_id, public.to_pem(), public.fingerprint, valid_from, valid_until, now)
