"""What can be wrong with a batch's signature. What is wrong with its form: ``schemas.errors.SignatureMalformed``.

HubError
└── BatchError
    └── SignatureError
        ├── SignatureMissing        the sender must sign, and there is none
        ├── SignatureUnexpected     one came with a body that has no envelope to sign
        ├── SignatureWrong          it is not this key's over this envelope
        ├── SignatureKeyUnknown     the sender has no such key
        ├── SignatureKeyNotValid    the key does not count yet, or no more
        └── SignatureKeyRevoked     the key was ended before its time
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import BatchError


@dataclass(eq=False)
class SignatureError(BatchError):
    """A batch is refused for its signature."""


@dataclass(eq=False)
class SignatureMissing(SignatureError):
    """The sender must sign, and there is no signature."""

    sender: str

    code: ClassVar[str] = "signature_missing"
    zh: ClassVar[str] = (
        "单位 {sender} 报送的批次必须签名,本批次没有 hub-signature。请在连接器配置中写明 signing,"
        "并以容器文件报送(JSON 与 NDJSON 没有可签名的信封)。"
    )
    en: ClassVar[str] = (
        "batches sent by {sender} must be signed, and this one has no hub-signature; set signing in the connector's "
        "configuration and send a container file (JSON and NDJSON have no envelope to sign)."
    )


@dataclass(eq=False)
class SignatureUnexpected(SignatureError):
    """A signature came with a body that has no envelope to sign."""

    code: ClassVar[str] = "signature_unexpected"
    zh: ClassVar[str] = "hub-signature 只能与容器文件及其信封(hub-batch)一同提交。请去掉该头,或改为提交容器文件。"
    en: ClassVar[str] = (
        "hub-signature goes with a container file and its envelope (hub-batch) alone; leave it out, or send one."
    )


@dataclass(eq=False)
class SignatureWrong(SignatureError):
    """The signature is not this key's over this envelope."""

    sender: str
    key_id: str

    code: ClassVar[str] = "signature_wrong"
    zh: ClassVar[str] = (
        "批次签名验证未通过:它不是 {sender} 的密钥 {key_id} 对本信封的签名。"
        "请确认签名所用私钥与登记的公钥是一对,且信封签名后未改动(SM2、SM3、标识 1234567812345678)。"
    )
    en: ClassVar[str] = (
        "the batch's signature is not that of {sender}'s key {key_id} over this envelope; make sure that the private "
        "key belongs to the registered one, and that the envelope was not changed after it was signed (SM2 with SM3, "
        "identifier 1234567812345678)."
    )


@dataclass(eq=False)
class SignatureKeyUnknown(SignatureError):
    """The sender has no such key."""

    sender: str
    key_id: str

    code: ClassVar[str] = "signature_key_unknown"
    zh: ClassVar[str] = "报送单位 {sender} 没有登记密钥 {key_id}。请核对 signing.key_id,或请主管部门登记公钥。"
    en: ClassVar[str] = (
        "the sender {sender} has no key {key_id} registered; look at signing.key_id, or have the administrator "
        "register the public key."
    )


@dataclass(eq=False)
class SignatureKeyNotValid(SignatureError):
    """The key does not count yet, or no more."""

    sender: str
    key_id: str
    valid_from: str
    valid_until: str

    code: ClassVar[str] = "signature_key_not_valid"
    zh: ClassVar[str] = (
        "批次到达枢纽时,{sender} 的密钥 {key_id} 不在有效期内({valid_from} 至 {valid_until})。请改用有效的密钥签名。"
    )
    en: ClassVar[str] = (
        "{sender}'s key {key_id} counts from {valid_from} until {valid_until}, and the batch did not reach the hub "
        "within that time; sign with a key that is valid."
    )


@dataclass(eq=False)
class SignatureKeyRevoked(SignatureError):
    """The key was ended before its time."""

    sender: str
    key_id: str

    code: ClassVar[str] = "signature_key_revoked"
    zh: ClassVar[str] = "{sender} 的密钥 {key_id} 已撤销,用它签名的批次不再接收。请用新的密钥签名后重新报送。"
    en: ClassVar[str] = (
        "{sender}'s key {key_id} is revoked, and nothing signed with it is taken any more; sign with another key and "
        "send the batch again."
    )
