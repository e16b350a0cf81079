"""The envelope: what a batch says of itself, beside its container file.

Its canonical bytes (RFC 8785, ASCII) are the header ``hub-batch`` over HTTP and in the log, the file
``<container>.batch.json`` on disk, and what is signed. There is one text for one envelope: members are always all
there, and any other spelling of the same content is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

import rfc8785

from schemas.errors import EnvelopeMemberWrong, EnvelopeNotCanonical, EnvelopeUnreadable
from schemas.strict_json import INTEGER_MAX, StrictJsonError, read_strict

Operation = Literal["upsert", "delete", "keys"]

VERSION: Final = 1
HEADER: Final = "hub-batch"  # over HTTP and in the log
ENVELOPE_BYTES_MAX: Final = 4096
_DEPTH_MAX: Final = 2
_CUT_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class KeyList:
    """Where a ``keys`` batch stands in its run's complete key list.

    Args:
        part: number of this part, from 1.
        total: keys over all parts; only the last part names it.
        confirm: the sender stands by the list even if much would be closed.
    """

    part: int
    total: int | None
    confirm: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a batch says of itself.

    Args:
        v: version of the envelope's form.
        hub: audience, the hub this batch is for (region code).
        dataset: ``<region code>.<name>``.
        contract: version of the dataset's contract.
        organization: whose data.
        sender: who hands it in; another organization only under a mandate.
        batch: id, unique per organization for ever; uuid text.
        run: id of the sender's run; uuid text.
        cut_at: when the source was read; aware.
        operation: what to do with the records.
        records: how many records the container holds.
        first_row: number, in the run, of the batch's first record, from 0.
        bytes: length of the container file.
        sm3: digest of the container file, hexadecimal.
        keys: of a ``keys`` batch only.
    """

    v: int
    hub: str
    dataset: str
    contract: int
    organization: str
    sender: str
    batch: str
    run: str
    cut_at: datetime
    operation: Operation
    records: int
    first_row: int
    bytes: int
    sm3: str
    keys: KeyList | None

    def to_bytes(self) -> "bytes":
        """Canonical JSON, ASCII only."""
        members = asdict(self)
        members["cut_at"] = _cut_at_text(self.cut_at)
        return rfc8785.dumps(members)


def parse_envelope(text: bytes) -> Envelope:
    """Read an envelope. The inverse of ``to_bytes``, and of nothing else.

    Raises:
        EnvelopeUnreadable: not JSON of this kind, or over 4096 bytes.
        EnvelopeMemberWrong: a member is missing, unknown or not as it must be.
        EnvelopeNotCanonical: the content is right, its form is not RFC 8785.
    """
    if len(text) > ENVELOPE_BYTES_MAX:
        zh, en = f"长度超过 {ENVELOPE_BYTES_MAX} 字节", f"it is longer than {ENVELOPE_BYTES_MAX} bytes"
        raise EnvelopeUnreadable(problem_zh=zh, problem_en=en)
    try:
        members = read_strict(text, depth_max=_DEPTH_MAX)
    except StrictJsonError as error:
        raise EnvelopeUnreadable(problem_zh=error.zh, problem_en=error.en) from None
    if not isinstance(members, dict):
        raise EnvelopeUnreadable(problem_zh="不是 JSON 对象", problem_en="it is no JSON object")
    _check(members, _MEMBERS, "")
    key_list = members["keys"]
    if key_list is not None:
        _check(key_list, _KEY_LIST_MEMBERS, "keys.")
    _check_together(members)
    values: dict[str, Any] = dict(members)
    values["cut_at"] = _cut_at(members["cut_at"])
    values["keys"] = None if key_list is None else KeyList(**key_list)
    envelope = Envelope(**values)
    if envelope.to_bytes() != text:
        raise EnvelopeNotCanonical
    return envelope


# One member: what it must be, in words, and the test of it.
_Rule = tuple[str, str, Callable[[Any], bool]]


def _integer(least: int, most: int = INTEGER_MAX) -> _Rule:
    # bool is an int in Python, and 1.0 never gets here: floats were refused by the reader.
    return (
        f"应为不小于 {least} 的整数",
        f"it must be an integer, at least {least}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def _text(zh: str, en: str, pattern: str) -> _Rule:
    compiled = re.compile(pattern)
    return f"应为{zh}", f"it must be {en}", lambda value: isinstance(value, str) and bool(compiled.fullmatch(value))


def _cut_at(text: str) -> datetime:
    return datetime.strptime(text, _CUT_AT).replace(tzinfo=UTC)


def _cut_at_text(moment: datetime) -> str:
    # strftime does not pad years below 1000 on every platform; isoformat does.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _is_cut_at(value: object) -> bool:
    if not isinstance(value, str) or not _CUT_AT_FORM.fullmatch(value):
        return False
    try:
        _cut_at(value)
    except ValueError:
        return False
    return True


_CUT_AT_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_UUID = _text(
    "小写 UUID", "a UUID in lower case", r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
_ORGANIZATION = _text("单位标识,如 hubei-gongan", "an organization's id", r"[a-z][a-z0-9-]{1,39}")
_CUT_AT_RULE: _Rule = (
    "应为 UTC 时间,精确到微秒,如 2026-01-31T08:00:00.000000Z",
    "it must be UTC with six digits of a second, as 2026-01-31T08:00:00.000000Z",
    _is_cut_at,
)
_OPERATION: _Rule = (
    "应为 upsert、delete 或 keys",
    "it must be upsert, delete or keys",
    lambda value: isinstance(value, str) and value in get_args(Operation),
)
_BOOLEAN: _Rule = ("应为 true 或 false", "it must be true or false", lambda value: isinstance(value, bool))

_MEMBERS: Mapping[str, _Rule] = {
    "v": (f"应为 {VERSION}", f"it must be {VERSION}", lambda value: type(value) is int and value == VERSION),
    "hub": _text("六位区划代码", "a region code of six digits", r"[0-9]{6}"),
    "dataset": _text("<区划代码>.<名称>", "<region code>.<name>", r"[0-9]{6}\.[a-z][a-z0-9_]{0,62}"),
    "contract": _integer(1, 2**31 - 1),
    "organization": _ORGANIZATION,
    "sender": _ORGANIZATION,
    "batch": _UUID,
    "run": _UUID,
    "cut_at": _CUT_AT_RULE,
    "operation": _OPERATION,
    "records": _integer(0),
    "first_row": _integer(0),
    "bytes": _integer(1),
    "sm3": _text("64 位小写十六进制", "64 hexadecimal digits in lower case", r"[0-9a-f]{64}"),
    "keys": ("应为对象或 null", "it must be an object or null", lambda value: value is None or isinstance(value, dict)),
}
_TOTAL = _integer(0)
_KEY_LIST_MEMBERS: Mapping[str, _Rule] = {
    "part": _integer(1, 2**31 - 1),
    "total": ("应为整数或 null", "it must be an integer or null", lambda value: value is None or _TOTAL[2](value)),
    "confirm": _BOOLEAN,
}


def _check(members: Mapping[str, Any], rules: Mapping[str, _Rule], prefix: str) -> None:
    for name, (zh, en, holds) in rules.items():
        if name not in members:
            raise EnvelopeMemberWrong(member=prefix + name, problem_zh="缺少此成员", problem_en="it is missing")
        if not holds(members[name]):
            raise EnvelopeMemberWrong(member=prefix + name, problem_zh=zh, problem_en=en)
    for name in members:
        if name not in rules:
            shown = prefix + ascii(name)[1:-1][:64]
            raise EnvelopeMemberWrong(member=shown, problem_zh="没有此成员", problem_en="there is no such member")


def _check_together(members: Mapping[str, Any]) -> None:
    """A key list belongs to the operation ``keys``, and only there may a batch be empty."""
    of_keys = members["operation"] == "keys"
    if of_keys != (members["keys"] is not None):
        zh, en = "仅在 operation 为 keys 时必须填写", "it goes with operation keys, and only with it"
        raise EnvelopeMemberWrong(member="keys", problem_zh=zh, problem_en=en)
    if members["records"] == 0 and not of_keys:
        zh, en = "批次至少有一条记录", "a batch holds at least one record"
        raise EnvelopeMemberWrong(member="records", problem_zh=zh, problem_en=en)
