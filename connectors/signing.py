"""A department's signing key: made here, kept here, used when a batch is sent.

A batch is signed each time it is sent, not when it is made: what waited in the outbox goes out under the present key.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connectors.config import Connector
from connectors.signing_errors import SigningKeyOpen, SigningKeyTaken, SigningKeyUnusable
from schemas.national.errors import KeyUnreadable
from schemas.national.libcrypto import choose_libcrypto
from schemas.national.sm2 import PEM_CHARACTERS_MAX, PrivateKey, PublicKey
from schemas.signature import SignatureSlot

LIBRARY_VARIABLE: Final = "HUB_LIBCRYPTO"


class Signing:
    """Signs envelopes under one key. Threads may share it."""

    def __init__(self, key_id: str, key: PrivateKey) -> None:
        self._key_id = key_id
        self._key = key

    def header(self, envelope: bytes) -> str:
        """The header ``hub-signature`` of an envelope's canonical text."""
        return SignatureSlot(self._key_id, self._key.sign(envelope)).to_header()


def signing_of(connector: Connector, environment: Mapping[str, str] = os.environ) -> Signing | None:
    """How a connector signs; None where its configuration has no ``signing``.

    Raises:
        SigningKeyUnusable, SigningKeyOpen: its key cannot be used.
        CryptoError: this machine has no SM2.
    """
    plan = connector.config.signing
    if plan is None:
        return None
    choose_libcrypto(environment.get(LIBRARY_VARIABLE) or None)
    return Signing(plan.key_id, read_signing_key(connector.folder / plan.key_file))


def read_signing_key(file: Path) -> PrivateKey:
    """A private key from its file, which nobody else may read."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(PEM_CHARACTERS_MAX + 1)
    except OSError as problem:
        raise _unusable(file, problem) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SigningKeyOpen(str(file), f"{stat.S_IMODE(mode):04o}")
    try:
        return PrivateKey.from_pem(content.decode("ascii"))
    except UnicodeDecodeError:
        raise SigningKeyUnusable(str(file), "不是 PEM 文本", "it is no PEM text") from None
    except KeyUnreadable as problem:
        raise SigningKeyUnusable(str(file), problem.problem_zh, problem.problem_en) from None


def make_signing_key(file: Path, environment: Mapping[str, str] = os.environ) -> PublicKey:
    """Make a pair of keys: the private one into ``file``, for its owner alone; the public one is returned.

    Raises:
        SigningKeyTaken: the file exists.
        SigningKeyUnusable: it cannot be written.
    """
    choose_libcrypto(environment.get(LIBRARY_VARIABLE) or None)
    key = PrivateKey.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(key.to_pem())
            written.flush()
            os.fsync(written.fileno())
    except FileExistsError:
        raise SigningKeyTaken(str(file)) from None
    except OSError as problem:
        raise _unusable(file, problem) from None
    return key.public


def _unusable(file: Path, problem: OSError) -> SigningKeyUnusable:
    reason = problem.strerror or type(problem).__name__
    return SigningKeyUnusable(str(file), reason, reason)
