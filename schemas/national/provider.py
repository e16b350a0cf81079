"""National cryptography behind one port: SM2 signatures, SM3 digests, HMAC-SM3, HKDF-SM3 and SM4-GCM.

The software provider stands on the package cryptography (SM3, SM4, HMAC, HKDF) and on the machine's libcrypto (SM2).
Another provider would stand on a certified device: a cryptographic server over GM/T 0018 (SDF) or a token over PKCS#11.
GB/T 39786 level 3 expects such a certified product; software alone makes a system ready for that assessment, never
compliant by itself.
"""

import secrets
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.national.errors import KeyUnreadable, SealBroken
from schemas.national.libcrypto import Libcrypto, load_libcrypto
from schemas.national.sm2 import PrivateKey, PublicKey

DIGEST_BYTES: Final = 32
SM4_KEY_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


class SigningKey(Protocol):
    """A private key that can be used and need not be seen: in memory, or a handle to one inside a device."""

    @property
    def public(self) -> PublicKey:
        """Its other half."""
        ...

    def sign(self, message: bytes, /) -> bytes:
        """SM2-with-SM3, DER, identifier 1234567812345678."""
        ...


class CryptoProvider(Protocol):
    """What the hub needs of cryptography; threads may share one."""

    def sign(self, key: SigningKey, message: bytes) -> bytes:
        """SM2-with-SM3 over a message, DER (GM/T 0009)."""
        ...

    def verify(self, public: PublicKey, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over this message."""
        ...

    def digest(self, content: bytes) -> bytes:
        """SM3 (GB/T 32905): 32 bytes."""
        ...

    def mac(self, key: bytes, message: bytes) -> bytes:
        """HMAC-SM3 (RFC 2104): 32 bytes."""
        ...

    def aead_seal(self, key: bytes, content: bytes, context: bytes) -> bytes:
        """SM4-GCM (RFC 8998): nonce ‖ ciphertext ‖ tag, under a 16-byte key that seals at most 2^32 contents.

        Args:
            key: 16 bytes.
            content: what is sealed.
            context: what it is for; opening takes the same. Authenticated, not kept.
        """
        ...

    def aead_open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """The inverse of ``aead_seal``.

        Raises:
            SealBroken: changed, or sealed under another key or context.
        """
        ...

    def derive(self, key: bytes, purpose: str, length_bytes: int = DIGEST_BYTES) -> bytes:
        """A key for one purpose from a root of at least 32 random bytes (HKDF-SM3, RFC 5869, no salt)."""
        ...

    def random(self, length_bytes: int) -> bytes:
        """Bytes nobody can guess."""
        ...


class SoftwareProvider:
    """National cryptography in this process."""

    def __init__(self, library: Libcrypto | None = None) -> None:
        """A provider over ``library``, or over the machine's.

        Raises:
            LibraryMissing, Sm2Absent: there is none that has SM2; nothing takes its place.
        """
        self.library = library or load_libcrypto()

    def sign(self, key: SigningKey, message: bytes) -> bytes:
        """SM2-with-SM3 over a message, DER."""
        return key.sign(message)

    def verify(self, public: PublicKey, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over this message."""
        return public.verify(message, signature)

    def generate(self) -> PrivateKey:
        """A new signing key."""
        return PrivateKey.generate(self.library)

    def digest(self, content: bytes) -> bytes:
        """SM3."""
        running = hashes.Hash(hashes.SM3())
        running.update(content)
        return running.finalize()

    def mac(self, key: bytes, message: bytes) -> bytes:
        """HMAC-SM3."""
        running = hmac.HMAC(key, hashes.SM3())
        running.update(message)
        return running.finalize()

    def aead_seal(self, key: bytes, content: bytes, context: bytes) -> bytes:
        """SM4-GCM under a random nonce of 96 bits: nonce ‖ ciphertext ‖ tag."""
        nonce = self.random(NONCE_BYTES)
        return nonce + seal_with_nonce(key, nonce, content, context)

    def aead_open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """The inverse of ``aead_seal``; raises SealBroken."""
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealBroken
        nonce, content, tag = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:-TAG_BYTES], sealed[-TAG_BYTES:]
        opening = Cipher(_sm4(key), modes.GCM(nonce, tag)).decryptor()
        opening.authenticate_additional_data(context)
        try:
            return opening.update(content) + opening.finalize()
        except InvalidTag:
            raise SealBroken from None

    def derive(self, key: bytes, purpose: str, length_bytes: int = DIGEST_BYTES) -> bytes:
        """HKDF-SM3 with the purpose as its info."""
        return HKDF(hashes.SM3(), length_bytes, salt=None, info=purpose.encode()).derive(key)

    def random(self, length_bytes: int) -> bytes:
        """From the operating system."""
        return secrets.token_bytes(length_bytes)


def seal_with_nonce(key: bytes, nonce: bytes, content: bytes, context: bytes) -> bytes:
    """SM4-GCM: ciphertext ‖ tag. A nonce used twice under a key gives both contents away; for test vectors."""
    sealing = Cipher(_sm4(key), modes.GCM(nonce)).encryptor()
    sealing.authenticate_additional_data(context)
    return sealing.update(content) + sealing.finalize() + sealing.tag


def _sm4(key: bytes) -> algorithms.SM4:
    if len(key) != SM4_KEY_BYTES:
        raise KeyUnreadable(problem_zh="SM4 密钥应为 16 字节", problem_en="an SM4 key has 16 bytes")
    return algorithms.SM4(key)
