"""The hub's keys of erasure: what commits to an erased record's key, and what seals it until its followers were told.

The commitment is keyed, because keys of records are few and can be guessed: without the hub's root nobody can try them.
"""

import hmac
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.national.provider import SM4_KEY_BYTES, CryptoProvider
from schemas.textform import KEY_SEPARATOR

DATASET_SEPARATOR: Final = "\x1e"


class DerivedKeys(Protocol):
    """The hub's keys, as far as erasure needs them."""

    def derive(self, purpose: str, length_bytes: int = 32) -> bytes:
        """The key for one purpose."""
        ...


@dataclass(frozen=True, slots=True)
class ErasureKeys:
    """Both keys, and who seals. Threads may share it.

    Args:
        commitment_key: 32 bytes; apply is given this one alone.
        notice_key: 16 bytes.
        provider: seals and opens.
    """

    commitment_key: bytes
    notice_key: bytes
    provider: CryptoProvider

    def seal(self, dataset: str, key: str) -> bytes:
        """The text of an erased key, sealed for the followers of the dataset's changes."""
        return self.provider.aead_seal(self.notice_key, key.encode(), _context(dataset))

    def open(self, dataset: str, sealed: bytes) -> tuple[str, ...]:
        """The key's parts.

        Raises:
            SealBroken: not sealed by this hub for this dataset.
        """
        text = self.provider.aead_open(self.notice_key, sealed, _context(dataset)).decode()
        return tuple(text.split(KEY_SEPARATOR))


def erasure_keys_of(keys: DerivedKeys, provider: CryptoProvider) -> ErasureKeys:
    """The keys, derived."""
    return ErasureKeys(commitment_key_of(keys), keys.derive("erasure-notice", SM4_KEY_BYTES), provider)


def commitment_key_of(keys: DerivedKeys) -> bytes:
    """The key of commitments."""
    return keys.derive("erasure")


def commitment(key: bytes, dataset: str, text: str) -> str:
    """HMAC-SM3 of dataset and key text, hexadecimal: as ``apply.erased`` has it in SQL."""
    return hmac.digest(key, f"{dataset}{DATASET_SEPARATOR}{text}".encode("utf-8", "surrogatepass"), "sm3").hex()


def _context(dataset: str) -> bytes:
    return f"erasure-notice\x1f{dataset}".encode()
