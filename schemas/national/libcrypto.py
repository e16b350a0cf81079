"""libcrypto of OpenSSL 3, found on the machine and bound by ctypes: the few functions SM2 needs.

The package cryptography offers SM3 and SM4 but no SM2 signatures, hence this binding. Every function's types are
declared once, here; ``sm2`` alone calls them. Calls run without the interpreter's lock; OpenSSL's error queue is one a
thread, and a key that is only read may be shared between threads.
"""

import ctypes
import ctypes.util
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final

from schemas.national.errors import LibraryFailed, LibraryMissing, Sm2Absent

VERSION_MAJOR_MIN: Final = 3
_ERROR_TEXT_BYTES: Final = 256
# Homebrew keeps OpenSSL out of the linker's path, where macOS has LibreSSL.
_PLACES: Final = (
    "libcrypto.so.3",
    "libcrypto.so.4",
    "libcrypto.3.dylib",
    "/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib",
    "/usr/local/opt/openssl@3/lib/libcrypto.3.dylib",
)

_POINTER, _TEXT, _INT, _SIZE, _LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_long
_OUT: Final = ctypes.POINTER(ctypes.c_void_p)
_SIZE_OUT: Final = ctypes.POINTER(ctypes.c_size_t)
_BYTES_OUT: Final = ctypes.POINTER(ctypes.c_char_p)
_INIT: Final = (_INT, (_POINTER, _OUT, _TEXT, _POINTER, _TEXT, _POINTER, _POINTER))

# Name → what it gives, what it takes; as in OpenSSL 3.0's manual pages.
_FUNCTIONS: Final[Mapping[str, tuple[type | None, tuple[type, ...]]]] = {
    "OPENSSL_version_major": (ctypes.c_uint, ()),
    "ERR_get_error": (ctypes.c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "ERR_error_string_n": (None, (ctypes.c_ulong, _TEXT, _SIZE)),
    "EVP_PKEY_CTX_new_from_name": (_POINTER, (_POINTER, _TEXT, _TEXT)),
    "EVP_PKEY_CTX_new_from_pkey": (_POINTER, (_POINTER, _POINTER, _TEXT)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_POINTER, _TEXT, _SIZE)),
    "EVP_PKEY_keygen_init": (_INT, (_POINTER,)),
    "EVP_PKEY_generate": (_INT, (_POINTER, _OUT)),
    "EVP_PKEY_check": (_INT, (_POINTER,)),
    "EVP_PKEY_is_a": (_INT, (_POINTER, _TEXT)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "i2d_PUBKEY": (_INT, (_POINTER, _OUT)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, _BYTES_OUT, _LONG)),
    "EVP_PKEY2PKCS8": (_POINTER, (_POINTER,)),
    "EVP_PKCS82PKEY": (_POINTER, (_POINTER,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (_INT, (_POINTER, _OUT)),
    "d2i_PKCS8_PRIV_KEY_INFO": (_POINTER, (_POINTER, _BYTES_OUT, _LONG)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_POINTER,)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_DigestSignInit_ex": _INIT,
    "EVP_DigestSign": (_INT, (_POINTER, _TEXT, _SIZE_OUT, _TEXT, _SIZE)),
    "EVP_DigestVerifyInit_ex": _INIT,
    "EVP_DigestVerify": (_INT, (_POINTER, _TEXT, _SIZE, _TEXT, _SIZE)),
}


class Libcrypto:
    """One loaded library; its functions are attributes by their own names."""

    def __init__(self, name: str) -> None:
        """Load and declare.

        Raises:
            OSError: there is no such library.
            AttributeError: it is not OpenSSL 3 or later.
        """
        self.name = name
        self.calls = ctypes.CDLL(name)
        for function, (gives, takes) in _FUNCTIONS.items():
            declared = getattr(self.calls, function)
            declared.restype, declared.argtypes = gives, list(takes)

    @property
    def version_major(self) -> int:
        """3 for OpenSSL 3.x."""
        return int(self.calls.OPENSSL_version_major())

    def has_sm2(self) -> bool:
        """Whether it was built with SM2."""
        context = self.calls.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        self.calls.EVP_PKEY_CTX_free(context)
        if not context:
            self.calls.ERR_clear_error()
        return bool(context)

    def failed(self, operation: str) -> LibraryFailed:
        """The first error in this thread's queue, as one of ours; the queue is empty afterwards."""
        number = int(self.calls.ERR_get_error())
        text = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        self.calls.ERR_error_string_n(number, text, _ERROR_TEXT_BYTES)
        self.calls.ERR_clear_error()
        return LibraryFailed(operation=operation, problem=text.value.decode("ascii", "replace") if number else "-")


def load_libcrypto() -> Libcrypto:
    """This process's libcrypto: the one that was chosen, else the first that is found, loaded once.

    Raises:
        LibraryMissing, Sm2Absent: there is none that can be used.
    """
    return _Chosen.library or find_libcrypto()


def choose_libcrypto(place: str | None) -> Libcrypto:
    """Load the library at ``place`` and make it this process's; for whoever puts a process together, once.

    Raises:
        LibraryMissing, Sm2Absent: it cannot be used.
    """
    _Chosen.library = find_libcrypto(place)
    return _Chosen.library


class _Chosen:
    """What keys use that were not told which library."""

    library: ClassVar[Libcrypto | None] = None


@lru_cache(maxsize=8)
def find_libcrypto(place: str | None = None) -> Libcrypto:
    """A libcrypto with SM2.

    Args:
        place: its file; without one the linker is asked, then the usual places are tried.

    Raises:
        LibraryMissing: none that can be loaded and is OpenSSL 3 or later.
        Sm2Absent: those that can were built without SM2.
    """
    places = [place] if place is not None else [*filter(None, [ctypes.util.find_library("crypto")]), *_PLACES]
    without: str | None = None
    for name in places:
        try:
            library = Libcrypto(name)
        except (OSError, AttributeError):  # absent, LibreSSL, or OpenSSL 1.1
            continue
        if library.version_major >= VERSION_MAJOR_MIN and library.has_sm2():
            return library
        without = without or name
    if without is not None:
        raise Sm2Absent(library=without)
    raise LibraryMissing(tried=", ".join(places))
