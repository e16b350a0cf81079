"""The power-on self-test: published vectors, run before anything is served (GB/T 37092 asks it of a module).

A wrong library, a wrong build or a defect in between shows here, not in a ledger that nobody can verify later.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from schemas.national.errors import CryptoError, SealBroken, SelfTestFailed
from schemas.national.provider import SM4_KEY_BYTES, SoftwareProvider, seal_with_nonce
from schemas.national.sm2 import PublicKey

# GB/T 32905 A.1.
SM3_MESSAGE: Final = b"abc"
SM3_DIGEST: Final = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")

# GB/T 32918.5 A.2: public key, message, (r, s) as DER; identifier 1234567812345678.
SM2_POINT: Final = bytes.fromhex(
    "04"
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
SM2_MESSAGE: Final = b"message digest"
SM2_SIGNATURE: Final = bytes.fromhex(
    "3046"
    "022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)

# GB/T 32907 A.1: key and plaintext are the same.
SM4_KEY: Final = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_CIPHERTEXT: Final = bytes.fromhex("681edf34d206965e86b3e94f536e4246")

# RFC 8998 A.1, under the same key.
GCM_NONCE: Final = bytes.fromhex("00001234567800000000abcd")
GCM_CONTEXT: Final = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
GCM_CONTENT: Final = b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("aabbccddeeffeeaa"))
GCM_SEALED: Final = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)

_BLOCK_BYTES: Final = 64  # of SM3


def self_test(provider: SoftwareProvider) -> None:
    """Run every vector.

    Raises:
        SelfTestFailed: one does not come out, or an algorithm is not there; the process must not serve.
    """
    for part, comes_out in _PARTS.items():
        try:
            right = comes_out(provider)
        except (CryptoError, UnsupportedAlgorithm) as problem:
            raise SelfTestFailed(part=f"{part} ({problem})") from problem
        if not right:
            raise SelfTestFailed(part=part)


def _sm3(provider: SoftwareProvider) -> bool:
    return provider.digest(SM3_MESSAGE) == SM3_DIGEST


def _sm2_published(provider: SoftwareProvider) -> bool:
    public = PublicKey.from_point(SM2_POINT, provider.library)
    return provider.verify(public, SM2_MESSAGE, SM2_SIGNATURE) and not provider.verify(
        public, SM2_MESSAGE + b" ", SM2_SIGNATURE
    )


def _sm2_own(provider: SoftwareProvider) -> bool:
    """Signatures are random, so no vector fits: what a fresh key signs must verify, and only as what it is."""
    key = provider.generate()
    signature = provider.sign(key, SM2_MESSAGE)
    return provider.verify(key.public, SM2_MESSAGE, signature) and not provider.verify(
        key.public, SM3_MESSAGE, signature
    )


def _sm4(_: SoftwareProvider) -> bool:
    # One block alone, to test the cipher itself; nothing else uses this mode.
    block = Cipher(algorithms.SM4(SM4_KEY), modes.ECB()).encryptor()  # noqa: S305 - GB/T 32907's example is one block
    return block.update(SM4_KEY) == SM4_CIPHERTEXT


def _sm4_gcm(provider: SoftwareProvider) -> bool:
    sealed = GCM_NONCE + GCM_SEALED
    try:
        provider.aead_open(SM4_KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), GCM_CONTEXT)
    except SealBroken:
        return (
            seal_with_nonce(SM4_KEY, GCM_NONCE, GCM_CONTENT, GCM_CONTEXT) == GCM_SEALED
            and provider.aead_open(SM4_KEY, sealed, GCM_CONTEXT) == GCM_CONTENT
        )
    return False


def _hmac_sm3(provider: SoftwareProvider) -> bool:
    """HMAC against its definition (RFC 2104), over a digest that was tested before."""
    key = SM4_KEY.ljust(_BLOCK_BYTES, b"\x00")
    inner = provider.digest(bytes(byte ^ 0x36 for byte in key) + SM3_MESSAGE)
    return provider.mac(SM4_KEY, SM3_MESSAGE) == provider.digest(bytes(byte ^ 0x5C for byte in key) + inner)


def _hkdf_sm3(provider: SoftwareProvider) -> bool:
    """HKDF against its definition (RFC 5869), for one block of output."""
    extracted = provider.mac(bytes(len(SM3_DIGEST)), SM3_DIGEST)
    expanded = provider.mac(extracted, b"self-test\x01")
    return provider.derive(SM3_DIGEST, "self-test", SM4_KEY_BYTES) == expanded[:SM4_KEY_BYTES]


_PARTS: Final[Mapping[str, Callable[[SoftwareProvider], bool]]] = {
    "SM3 (GB/T 32905)": _sm3,
    "SM2 (GB/T 32918.5)": _sm2_published,
    "SM2 sign and verify": _sm2_own,
    "SM4 (GB/T 32907)": _sm4,
    "SM4-GCM (RFC 8998)": _sm4_gcm,
    "HMAC-SM3": _hmac_sm3,
    "HKDF-SM3": _hkdf_sm3,
}
