"""The hub's own keys: a root from which keys for single purposes are derived, and SM2 keys that sign, each by its name.

They live in a folder of their own, ``<data folder>/keys`` unless HUB_KEYS_FOLDER says otherwise: ``root`` (32 random
bytes, in hexadecimal) and ``<name>.pem`` (PKCS#8), readable by the hub's user alone, made when first asked for, never
in the repository and never printed. Every process of the hub, on every machine, must see the same folder. Whoever holds
it can sign as the hub and open what it sealed; its backup is kept apart from the store's.

With a device in its place (a cryptographic server over GM/T 0018, SDF; a token over PKCS#11) another class with the
same methods stands here: ``derive`` asks the device for HMAC-SM3 under a root that never leaves it, ``signer`` returns
a Signer whose ``key`` holds a handle (a SigningKey gives ``public`` and ``sign`` alone), and nobody else changes.
"""

import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.key_files import is_unused, read_or_make, ready_folder
from hub.keys_errors import KeyFileMissing, KeyFileUnreadable, KeyNameWrong
from schemas.national.errors import KeyUnreadable
from schemas.national.provider import CryptoProvider, SigningKey
from schemas.national.sm2 import PrivateKey, PublicKey

FOLDER: Final = "keys"
ROOT_FILE: Final = "root"
ROOT_BYTES: Final = 32
PURPOSE_CHARACTERS_MAX: Final = 200
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ROOT = re.compile(r"[0-9a-f]{64}\n")


@dataclass(frozen=True, slots=True)
class Signer:
    """One of the hub's signing keys.

    Args:
        name: as in ``ledger``.
        key: signs; a key in memory or a handle into a device.
    """

    name: str
    key: SigningKey

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return self.key.public

    @property
    def public_pem(self) -> str:
        """The public key as text (SubjectPublicKeyInfo)."""
        return self.key.public.to_pem()

    def sign(self, message: bytes) -> bytes:
        """SM2-with-SM3, identifier 1234567812345678, DER (GM/T 0009)."""
        return self.key.sign(message)


class Keys:
    """The keys in one folder. Threads may share it."""

    def __init__(self, folder: Path, provider: CryptoProvider) -> None:
        """Read the root, or make it where no key was ever made.

        Raises:
            KeyFileMissing: the root is gone and other keys are there.
            KeyFileOpen: others may read or replace keys.
            KeyFileUnreadable: the folder or the root cannot be used.
        """
        self._folder = folder
        self._provider = provider
        self._lock = threading.Lock()
        self._signers: dict[str, Signer] = {}
        ready_folder(folder)
        file = folder / ROOT_FILE
        try:
            unused = is_unused(folder)
        except OSError as problem:
            raise KeyFileUnreadable(file=str(folder), problem=problem.strerror or "") from None
        # Looked at in this order: a root that another process makes meanwhile is found.
        if not unused and not file.exists():
            raise KeyFileMissing(file=str(file))
        text = read_or_make(file, lambda: secrets.token_hex(ROOT_BYTES) + "\n")
        if not _ROOT.fullmatch(text):
            raise KeyFileUnreadable(file=str(file), problem="it does not hold 32 bytes in hexadecimal")
        self._root = bytes.fromhex(text)

    def __repr__(self) -> str:
        return f"<keys in {self._folder}>"

    def derive(self, purpose: str, length_bytes: int = ROOT_BYTES) -> bytes:
        """The key for one purpose: the same each time, telling nothing of the others (HKDF-SM3).

        Args:
            purpose: what it is for, as in ``cursor`` or ``pseudonym:420000.resident:2026``.
            length_bytes: 16 for SM4.
        """
        if not 0 < len(purpose) <= PURPOSE_CHARACTERS_MAX:
            raise KeyNameWrong(rule=f"1..{PURPOSE_CHARACTERS_MAX} characters")
        return self._provider.derive(self._root, purpose, length_bytes)

    def signer(self, name: str) -> Signer:
        """The signing key of this name, made when first asked for.

        Raises:
            KeyNameWrong: no name for a key.
            KeyFileOpen: others may read or replace it.
            KeyFileUnreadable: its file cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise KeyNameWrong(rule=_NAME.pattern)
        with self._lock:
            if name not in self._signers:
                self._signers[name] = Signer(name, self._read(name))
            return self._signers[name]

    def _read(self, name: str) -> PrivateKey:
        file = self._folder / f"{name}.pem"
        text = read_or_make(file, lambda: PrivateKey.generate().to_pem())
        try:
            return PrivateKey.from_pem(text)
        except KeyUnreadable as problem:
            raise KeyFileUnreadable(file=str(file), problem=problem.sentence("en").rstrip(".")) from None
