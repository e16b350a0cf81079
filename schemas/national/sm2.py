"""SM2 signatures with SM3 (GB/T 32918.2, GM/T 0003.2): keys, sign, verify.

Signatures are DER (GM/T 0009: SEQUENCE { r INTEGER, s INTEGER }), one byte form each: what is not canonical is refused.
The distinguishing identifier is always given, ``1234567812345678`` unless told (GM/T 0009): OpenSSL before 4.0 takes an
empty one by default, and no two such programs would agree. Private keys travel as PKCS#8, public keys as
SubjectPublicKeyInfo with an uncompressed point, both in PEM; no password, as the file's mode protects it.

A key holds a pointer of libcrypto's, freed with the key. Keys are never changed, so threads may share them.
"""

import base64
import binascii
import ctypes
import hashlib
import re
import weakref
from typing import Final

from schemas.national.errors import KeyUnreadable
from schemas.national.libcrypto import Libcrypto, load_libcrypto
from schemas.signature import DISTINGUISHING_ID, is_canonical_der

POINT_BYTES: Final = 65  # 0x04, x, y
PEM_CHARACTERS_MAX: Final = 4096
# SubjectPublicKeyInfo of id-ecPublicKey (1.2.840.10045.2.1) on curveSM2 (1.2.156.10197.1.301), up to the point.
_SPKI_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_SIGNATURE_BUFFER_BYTES: Final = 128
_PEM = re.compile(r"\s*-----BEGIN (?P<kind>[A-Z ]+)-----\s+(?P<body>[A-Za-z0-9+/=\s]+)-----END (?P=kind)-----\s*")


class PublicKey:
    """A public key that verifies."""

    def __init__(self, spki: bytes, library: Libcrypto | None = None) -> None:
        """A key from its SubjectPublicKeyInfo.

        Raises:
            KeyUnreadable: it is of another algorithm or curve, compressed, or no point of the curve.
        """
        if len(spki) != len(_SPKI_PREFIX) + POINT_BYTES or not spki.startswith(_SPKI_PREFIX + b"\x04"):
            raise KeyUnreadable(
                problem_zh="应为 SM2 曲线上未压缩点的 SubjectPublicKeyInfo 公钥",
                problem_en="it must be a SubjectPublicKeyInfo with an uncompressed point on the SM2 curve",
            )
        self._library = library or load_libcrypto()
        calls = self._library.calls
        self._pointer = calls.d2i_PUBKEY(None, ctypes.byref(ctypes.c_char_p(spki)), len(spki))
        if not self._pointer:
            calls.ERR_clear_error()
            raise KeyUnreadable(problem_zh="该点不在 SM2 曲线上", problem_en="the point is not on the SM2 curve")
        _freed_with(self, self._library, self._pointer)
        self.spki = spki

    @classmethod
    def from_pem(cls, text: str, library: Libcrypto | None = None) -> "PublicKey":
        """A key from ``-----BEGIN PUBLIC KEY-----``.

        Raises:
            KeyUnreadable: it is no such text; a private key is refused by name.
        """
        return cls(_of_pem(text, "PUBLIC KEY"), library)

    @classmethod
    def from_point(cls, point: bytes, library: Libcrypto | None = None) -> "PublicKey":
        """A key from 0x04 ‖ x ‖ y."""
        return cls(_SPKI_PREFIX + point, library)

    def to_pem(self) -> str:
        """The key as text: the same key has the same text."""
        return _to_pem(self.spki, "PUBLIC KEY")

    @property
    def point(self) -> bytes:
        """0x04 ‖ x ‖ y."""
        return self.spki[-POINT_BYTES:]

    @property
    def fingerprint(self) -> str:
        """SM3 of the SubjectPublicKeyInfo, in hexadecimal."""
        return hashlib.new("sm3", self.spki).hexdigest()

    def verify(self, message: bytes, signature: bytes, distinguishing_id: bytes = DISTINGUISHING_ID) -> bool:
        """Whether ``signature`` is this key's over ``message``; a malformed one is simply not."""
        if not is_canonical_der(signature):
            return False
        calls = self._library.calls
        context = calls.EVP_MD_CTX_new()
        try:
            _begin(self._library, calls.EVP_DigestVerifyInit_ex, context, self._pointer, distinguishing_id)
            verdict = calls.EVP_DigestVerify(context, signature, len(signature), message, len(message))
        finally:
            calls.EVP_MD_CTX_free(context)
            calls.ERR_clear_error()
        return bool(verdict == 1)


class PrivateKey:
    """A private key that signs. Its text form is for the key's own file alone."""

    def __init__(self, pointer: int, library: Libcrypto) -> None:
        """Takes over a key of libcrypto's; use ``generate`` or ``from_pem``."""
        self._library = library
        self._pointer = pointer
        _freed_with(self, library, pointer)
        self.public = PublicKey(_encoded(library, "i2d_PUBKEY", pointer), library)

    def __repr__(self) -> str:
        return f"<SM2 private key of {self.public.fingerprint[:12]}>"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")

    @classmethod
    def generate(cls, library: Libcrypto | None = None) -> "PrivateKey":
        """A new key from OpenSSL's random generator."""
        library = library or load_libcrypto()
        calls = library.calls
        context = calls.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        pointer = ctypes.c_void_p()
        try:
            made = (
                context
                and calls.EVP_PKEY_keygen_init(context) == 1
                and calls.EVP_PKEY_generate(context, ctypes.byref(pointer)) == 1
            )
        finally:
            calls.EVP_PKEY_CTX_free(context)
        if not made or not pointer.value:
            raise library.failed("SM2 key generation")
        return cls(pointer.value, library)

    @classmethod
    def from_pem(cls, text: str, library: Libcrypto | None = None) -> "PrivateKey":
        """A key from ``-----BEGIN PRIVATE KEY-----`` (PKCS#8).

        Raises:
            KeyUnreadable: it is no such text, of another algorithm, or its two halves do not belong together.
        """
        library = library or load_libcrypto()
        calls = library.calls
        der = _of_pem(text, "PRIVATE KEY")
        info = calls.d2i_PKCS8_PRIV_KEY_INFO(None, ctypes.byref(ctypes.c_char_p(der)), len(der))
        try:
            pointer = calls.EVP_PKCS82PKEY(info) if info else None
        finally:
            calls.PKCS8_PRIV_KEY_INFO_free(info)
        usable = pointer and calls.EVP_PKEY_is_a(pointer, b"SM2") == 1 and _halves_agree(library, pointer)
        calls.ERR_clear_error()
        if not pointer or not usable:
            calls.EVP_PKEY_free(pointer)
            raise KeyUnreadable(
                problem_zh="应为 SM2 的 PKCS#8 私钥", problem_en="it must be an SM2 private key in PKCS#8"
            )
        return cls(pointer, library)

    def to_pem(self) -> str:
        """The key as PKCS#8 text. Only ever for a file nobody else can read."""
        calls = self._library.calls
        info = calls.EVP_PKEY2PKCS8(self._pointer)
        if not info:
            raise self._library.failed("PKCS#8")
        try:
            return _to_pem(_encoded(self._library, "i2d_PKCS8_PRIV_KEY_INFO", info), "PRIVATE KEY")
        finally:
            calls.PKCS8_PRIV_KEY_INFO_free(info)

    def sign(self, message: bytes, distinguishing_id: bytes = DISTINGUISHING_ID) -> bytes:
        """SM2-with-SM3 over ``message``, DER; another one each time."""
        calls = self._library.calls
        context = calls.EVP_MD_CTX_new()
        signature = ctypes.create_string_buffer(_SIGNATURE_BUFFER_BYTES)
        size = ctypes.c_size_t(_SIGNATURE_BUFFER_BYTES)
        try:
            _begin(self._library, calls.EVP_DigestSignInit_ex, context, self._pointer, distinguishing_id)
            if calls.EVP_DigestSign(context, signature, ctypes.byref(size), message, len(message)) != 1:
                raise self._library.failed("SM2 signature")
        finally:
            calls.EVP_MD_CTX_free(context)
        return signature.raw[: size.value]


def _begin(library: Libcrypto, begin: "ctypes._NamedFuncPointer", context: int, key: int, identifier: bytes) -> None:
    """Ready a context; the identifier must be there before the first byte of the message."""
    inner = ctypes.c_void_p()  # belongs to the context
    begun = context and begin(context, ctypes.byref(inner), b"SM3", None, None, key, None) == 1
    if not begun or library.calls.EVP_PKEY_CTX_set1_id(inner, identifier, len(identifier)) != 1:
        raise library.failed("SM2 initialisation")


def _halves_agree(library: Libcrypto, pointer: int) -> bool:
    """Private number in range, point on the curve, one belonging to the other."""
    context = library.calls.EVP_PKEY_CTX_new_from_pkey(None, pointer, None)
    try:
        return bool(context) and library.calls.EVP_PKEY_check(context) == 1
    finally:
        library.calls.EVP_PKEY_CTX_free(context)


def _encoded(library: Libcrypto, function: str, pointer: int) -> bytes:
    """What an ``i2d`` function writes: once for the size, once for the bytes."""
    encode = getattr(library.calls, function)
    size = encode(pointer, None)
    if size <= 0:
        raise library.failed(function)
    buffer = ctypes.create_string_buffer(size)
    if encode(pointer, ctypes.byref(ctypes.c_void_p(ctypes.addressof(buffer)))) != size:
        raise library.failed(function)
    return buffer.raw


def _freed_with(owner: object, library: Libcrypto, pointer: int) -> None:
    # Not at exit: libcrypto's own exit may have come first.
    weakref.finalize(owner, library.calls.EVP_PKEY_free, pointer).atexit = False


def _to_pem(der: bytes, kind: str) -> str:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _of_pem(text: str, kind: str) -> bytes:
    found = _PEM.fullmatch(text) if len(text) <= PEM_CHARACTERS_MAX else None
    if found is None or found["kind"] != kind:
        other = "" if found is None else found["kind"]
        raise KeyUnreadable(
            problem_zh=f"应为一段 PEM 文本 {kind}" + (f",而不是 {other}" if other else ""),
            problem_en=f"it must be one PEM text {kind}" + (f", not {other}" if other else ""),
        )
    try:
        return base64.b64decode("".join(found["body"].split()), validate=True)
    except binascii.Error:
        raise KeyUnreadable(problem_zh="base64 有误", problem_en="its base64 is wrong") from None
