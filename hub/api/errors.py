"""What can go wrong between HTTP and the core: bodies, headers and pages.

HubError
└── RequestError
    ├── BodyTooLarge            more than one batch
    ├── BodyTooSlow             the body did not arrive in time
    ├── BodyEmpty               nothing in it
    ├── MediaTypeWrong          the door takes container files, NDJSON and JSON
    ├── ContentEncodingRefused  compression belongs inside the container file
    ├── EnvelopeUnexpected      the door writes the envelope of NDJSON and JSON itself
    ├── EnvelopeRepeated        two envelopes for one body
    ├── IdempotencyKeyWrong     not a UUID
    ├── RowsTooMany             more rows than a batch holds
    ├── RowUnreadable           a row is no record
    ├── ReceiptAbsent           none yet, or none of the caller's
    ├── OidcAbsent              the hub trusts another issuer than its own
    ├── AddressUnknown          nothing is there
    ├── MethodNotAllowed        what is there does not take this method
    ├── BodyUnreadable          no JSON that anyone could read
    ├── HeadersTooLarge         more than a request has to say of itself
    ├── InternalError           nobody foresaw it
    ├── RequestInvalid          a parameter breaks its rule
    └── HubUnavailable          the store or the log does not answer now
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class RequestError(HubError):
    """A request cannot be answered as it stands."""


@dataclass(eq=False)
class BodyTooLarge(RequestError):
    """More than one batch."""

    bytes_max: int

    code: ClassVar[str] = "body_too_large"
    zh: ClassVar[str] = (
        "请求正文超过一个批次的上限 {bytes_max} 字节。"
        "大文件请用连接器报送,它会自动分批并可断点续传:connector run <配置.yaml>。"
    )
    en: ClassVar[str] = (
        "the body is larger than one batch may be, {bytes_max} bytes. Send large files with the connector, which cuts "
        "them into batches and resumes where it stopped: connector run <file.yaml>."
    )


@dataclass(eq=False)
class BodyTooSlow(RequestError):
    """The body did not arrive in time."""

    seconds_max: int

    code: ClassVar[str] = "body_too_slow"
    zh: ClassVar[str] = "请求正文未在 {seconds_max} 秒内到齐,未被接收;请以相同批次号重发。"
    en: ClassVar[str] = "the body did not arrive within {seconds_max} s and was not taken; send it again under its id."


@dataclass(eq=False)
class BodyEmpty(RequestError):
    """Nothing in it."""

    code: ClassVar[str] = "body_empty"
    zh: ClassVar[str] = "请求正文中没有记录;一个批次至少含一条记录。"
    en: ClassVar[str] = "the body holds no record; a batch has at least one."


@dataclass(eq=False)
class MediaTypeWrong(RequestError):
    """The door takes container files, NDJSON and JSON."""

    accepted: str

    code: ClassVar[str] = "media_type_wrong"
    zh: ClassVar[str] = "不支持该 Content-Type;可用:{accepted}。"
    en: ClassVar[str] = "this Content-Type is not taken; send one of {accepted}."


@dataclass(eq=False)
class ContentEncodingRefused(RequestError):
    """Compression belongs inside the container file, where its expansion is bounded and its digest is signed."""

    code: ClassVar[str] = "content_encoding_refused"
    zh: ClassVar[str] = "不接受 Content-Encoding;如需压缩,请在容器文件内使用 deflate。"
    en: ClassVar[str] = "Content-Encoding is not taken; compress inside the container file, with deflate."


@dataclass(eq=False)
class EnvelopeUnexpected(RequestError):
    """The door writes the envelope of NDJSON and JSON itself."""

    code: ClassVar[str] = "envelope_unexpected"
    zh: ClassVar[str] = "hub-batch 信封只用于容器文件;NDJSON 和 JSON 请去掉该请求头,批次号用 Idempotency-Key。"
    en: ClassVar[str] = (
        "the hub-batch envelope goes with a container file; leave it out with NDJSON and JSON, and name the batch by "
        "Idempotency-Key."
    )


@dataclass(eq=False)
class EnvelopeRepeated(RequestError):
    """Two envelopes for one body."""

    code: ClassVar[str] = "envelope_repeated"
    zh: ClassVar[str] = "请求中有多个 hub-batch 信封;一次请求只报送一个批次。"
    en: ClassVar[str] = "the request has more than one hub-batch envelope; one request hands in one batch."


@dataclass(eq=False)
class IdempotencyKeyWrong(RequestError):
    """Not a UUID."""

    code: ClassVar[str] = "idempotency_key_wrong"
    zh: ClassVar[str] = "Idempotency-Key 必须是一个 UUID;它将作为批次号。"
    en: ClassVar[str] = "Idempotency-Key must be one UUID; it becomes the batch id."


@dataclass(eq=False)
class RowsTooMany(RequestError):
    """More rows than a batch holds."""

    row: int
    records_max: int

    code: ClassVar[str] = "rows_too_many"
    zh: ClassVar[str] = "从第 {row} 行起超过一个批次的上限 {records_max} 条记录;请分批报送,或使用连接器。"
    en: ClassVar[str] = (
        "from row {row} on there are more than the {records_max} records a batch may hold; split them, or use the "
        "connector."
    )


@dataclass(eq=False)
class RowUnreadable(RequestError):
    """A row is no record. Rows count from 1, as editors do."""

    row: int
    problem: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "row_unreadable"
    zh: ClassVar[str] = "第 {row} 行不是可读的记录:{problem_zh}。整个批次未被接收,改正后请重发。"
    en: ClassVar[str] = (
        "row {row} is not a record that can be read: {problem_en}. Nothing of the batch was taken; send it again, "
        "corrected."
    )


@dataclass(eq=False)
class ReceiptAbsent(RequestError):
    """None yet, or none of the caller's: the two look the same on purpose."""

    batch: str
    retry_after_seconds: float = 2

    code: ClassVar[str] = "receipt_absent"
    zh: ClassVar[str] = "批次 {batch} 尚无回执,或不是您的单位报送的。若刚刚报送,请稍后再查。"
    en: ClassVar[str] = (
        "there is no receipt of batch {batch} yet, or it is not one of yours; if you have just handed it in, ask again "
        "shortly."
    )


@dataclass(eq=False)
class OidcAbsent(RequestError):
    """The hub trusts another issuer than its own, so its own is not there."""

    code: ClassVar[str] = "oidc_absent"
    zh: ClassVar[str] = "本枢纽使用外部身份签发方,内置的登录服务未启用。"
    en: ClassVar[str] = "this hub trusts another issuer, so its built-in one is not there."


@dataclass(eq=False)
class AddressUnknown(RequestError):
    """Nothing is there."""

    code: ClassVar[str] = "not_found"
    zh: ClassVar[str] = "没有这个地址;GET /v1/openapi.json 列出所有地址。"
    en: ClassVar[str] = "there is nothing at this address; see /v1/openapi.json."


@dataclass(eq=False)
class MethodNotAllowed(RequestError):
    """What is there does not take this method; the header Allow names those it takes."""

    code: ClassVar[str] = "method_not_allowed"
    zh: ClassVar[str] = "该地址不支持此方法;Allow 头列出可用的方法。"
    en: ClassVar[str] = "this address does not take this method; the header Allow names those it takes."


@dataclass(eq=False)
class BodyUnreadable(RequestError):
    """No JSON that anyone could read: nested beyond measure, or not in the encoding it names."""

    code: ClassVar[str] = "body_unreadable"
    zh: ClassVar[str] = "请求正文无法读取;应为 UTF-8 编码的 JSON,层次不宜过深。"
    en: ClassVar[str] = "the body cannot be read; send JSON in UTF-8 that is not nested beyond measure."


@dataclass(eq=False)
class HeadersTooLarge(RequestError):
    """More than a request has to say of itself."""

    bytes_max: int

    code: ClassVar[str] = "headers_too_large"
    zh: ClassVar[str] = "请求头总长不得超过 {bytes_max} 字节。"
    en: ClassVar[str] = "the request's headers may hold {bytes_max} bytes in all."


@dataclass(eq=False)
class InternalError(RequestError):
    """Nobody foresaw it. The id is that of the log's line, which has no values either."""

    id: str

    code: ClassVar[str] = "internal_error"
    zh: ClassVar[str] = "枢纽内部出错,编号 {id}。请把编号告知管理员;未得到 202 或回执的批次可用相同批次号重发。"
    en: ClassVar[str] = (
        "the hub met an error of its own, {id}; tell the administrator this id. A batch without a 202 or a receipt may "
        "be sent again under its id."
    )


@dataclass(eq=False)
class RequestInvalid(RequestError):
    """A parameter breaks its rule."""

    invalid: Sequence[Mapping[str, str]]
    where_zh: str
    where_en: str

    code: ClassVar[str] = "request_invalid"
    zh: ClassVar[str] = "请求参数不合规则:{where_zh}。"
    en: ClassVar[str] = "a parameter of the request breaks its rule: {where_en}."


@dataclass(eq=False)
class HubUnavailable(RequestError):
    """The store or the log does not answer now."""

    retry_after_seconds: float = 2

    code: ClassVar[str] = "hub_unavailable"
    zh: ClassVar[str] = "枢纽暂时无法处理请求;请稍后以相同批次号重试。"
    en: ClassVar[str] = "the hub cannot work on the request now; try again shortly, with the same batch id."
