"""What can go wrong with national cryptography (SM2, SM3, SM4).

HubError
└── CryptoError
    ├── LibraryMissing      no libcrypto of OpenSSL 3 was found, or not where it was said to be
    ├── Sm2Absent           the libcrypto found was built without SM2
    ├── LibraryFailed       libcrypto refused what should have worked
    ├── KeyUnreadable       a text is not an SM2 key in the form it must have
    ├── SealBroken          sealed bytes were changed, or sealed under another key or for another use
    └── SelfTestFailed      a published test vector does not come out: nothing may be served
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class CryptoError(HubError):
    """National cryptography cannot do what was asked."""


@dataclass(eq=False)
class LibraryMissing(CryptoError):
    """No libcrypto of OpenSSL 3 was found, or not where it was said to be."""

    tried: str

    code: ClassVar[str] = "crypto_library_missing"
    zh: ClassVar[str] = (
        "找不到可用的 OpenSSL 3 密码库 libcrypto(已尝试:{tried})。请安装 openssl 3,或以 HUB_LIBCRYPTO 指明其位置。"
    )
    en: ClassVar[str] = (
        "no usable libcrypto of OpenSSL 3 was found (tried {tried}); install openssl 3, or name its file in "
        "HUB_LIBCRYPTO."
    )


@dataclass(eq=False)
class Sm2Absent(CryptoError):
    """The libcrypto found was built without SM2, as Fedora's and its relatives' are."""

    library: str

    code: ClassVar[str] = "sm2_absent"
    zh: ClassVar[str] = (
        "密码库 {library} 编译时未包含 SM2(如 Fedora 系发行版),枢纽不以其他算法代替。"
        "请改用含 SM2 的 OpenSSL 3,并以 HUB_LIBCRYPTO 指明其位置。"
    )
    en: ClassVar[str] = (
        "the library {library} was built without SM2 (as on the Fedora family), and no other algorithm is put in its "
        "place; use an OpenSSL 3 that has it, and name its file in HUB_LIBCRYPTO."
    )


@dataclass(eq=False)
class LibraryFailed(CryptoError):
    """libcrypto refused what should have worked."""

    operation: str
    problem: str

    code: ClassVar[str] = "crypto_library_failed"
    zh: ClassVar[str] = "密码库未能完成 {operation}:{problem}。请检查本机的 OpenSSL 安装。"
    en: ClassVar[str] = "the crypto library could not complete {operation}: {problem}; look at this machine's OpenSSL."


@dataclass(eq=False)
class KeyUnreadable(CryptoError):
    """A text is not an SM2 key in the form it must have. Never holds any of the key."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "sm2_key_unreadable"
    zh: ClassVar[str] = "SM2 密钥无法读取:{problem_zh}。"
    en: ClassVar[str] = "the SM2 key cannot be read: {problem_en}."


@dataclass(eq=False)
class SealBroken(CryptoError):
    """Sealed bytes were changed, or sealed under another key or for another use; which of them is not known."""

    code: ClassVar[str] = "seal_broken"
    zh: ClassVar[str] = "密封内容无法打开:它被改动过,或是用其他密钥、为其他用途密封的。请重新获取。"
    en: ClassVar[str] = (
        "what was sealed does not open: it was changed, or sealed under another key or for another use; get it anew."
    )


@dataclass(eq=False)
class SelfTestFailed(CryptoError):
    """A published test vector does not come out: nothing may be served."""

    part: str

    code: ClassVar[str] = "crypto_self_test_failed"
    zh: ClassVar[str] = "密码算法自检未通过:{part}。枢纽拒绝运行;请检查本机的 OpenSSL 与 cryptography 软件包。"
    en: ClassVar[str] = (
        "the cryptographic self-test failed: {part}. The hub will not serve; look at this machine's OpenSSL and at "
        "the package cryptography."
    )
