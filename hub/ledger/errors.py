"""What can go wrong with the ledger.

HubError
└── LedgerError                     the ledger cannot do what it was asked for
    ├── LeafWrong                   a leaf cannot be recorded as it is
    ├── LeafUnknown                 no such leaf, or not one of the caller's
    ├── LeafNotSealed               recorded, and sealed within a second or so: ask again
    ├── CheckpointUnknown           no checkpoint of this size
    ├── CheckpointWrong             a text is not a checkpoint, or its signature is not right
    ├── ProofWrong                  a proof does not lead where it says
    ├── LedgerUnavailable           a leaf could not be made durable: nothing may be answered
    ├── LedgerBusy                  too many leaves wait to be made durable
    ├── LedgerStale                 no signed head for too long: nothing conditional is released, nothing approved
    ├── LedgerDamaged               what is stored is not what was sealed
    ├── WitnessRefused              a witness does not cosign what it was shown
    └── WitnessStateUnusable        a witness cannot read or write what it remembers
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class LedgerError(HubError):
    """The ledger cannot do what it was asked for."""


@dataclass(eq=False)
class LeafWrong(LedgerError):
    """A leaf cannot be recorded as it is."""

    member: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "leaf_wrong"
    zh: ClassVar[str] = "台账条目的 {member} 无法记录:{problem_zh}。"
    en: ClassVar[str] = "member {member} of a ledger leaf cannot be recorded: {problem_en}."


@dataclass(eq=False)
class LeafUnknown(LedgerError):
    """No such leaf, or not one of the caller's: the two are not told apart."""

    leaf: str

    code: ClassVar[str] = "leaf_unknown"
    zh: ClassVar[str] = "台账中没有属于您的条目 {leaf};请核对编号。"
    en: ClassVar[str] = "the ledger has no leaf {leaf} of yours; check its id."


@dataclass(eq=False)
class LeafNotSealed(LedgerError):
    """Recorded, and sealed within a second or so."""

    leaf: str
    retry_after_seconds: float = 2

    code: ClassVar[str] = "leaf_not_sealed"
    zh: ClassVar[str] = "条目 {leaf} 已记录,尚未封存;请在 {retry_after_seconds:.0f} 秒后再取证明。"
    en: ClassVar[str] = (
        "leaf {leaf} is recorded and not sealed yet; ask for its proof again in {retry_after_seconds:.0f} s."
    )


@dataclass(eq=False)
class CheckpointUnknown(LedgerError):
    """No checkpoint of this size."""

    size: int

    code: ClassVar[str] = "checkpoint_unknown"
    zh: ClassVar[str] = "台账没有大小为 {size} 的检查点;GET /v1/ledger/checkpoint 给出最新的一个。"
    en: ClassVar[str] = "the ledger has no checkpoint of size {size}; GET /v1/ledger/checkpoint gives the newest."


@dataclass(eq=False)
class CheckpointWrong(LedgerError):
    """A text is not a checkpoint, or not one this key signed."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "checkpoint_wrong"
    zh: ClassVar[str] = "检查点不可信:{problem_zh}。"
    en: ClassVar[str] = "the checkpoint cannot be relied on: {problem_en}."


@dataclass(eq=False)
class ProofWrong(LedgerError):
    """A proof does not lead where it says."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "proof_wrong"
    zh: ClassVar[str] = "证明不成立:{problem_zh}。"
    en: ClassVar[str] = "the proof does not hold: {problem_en}."


@dataclass(eq=False)
class LedgerUnavailable(LedgerError):
    """A leaf could not be made durable. It may stand in the ledger or not; what it tells of is not answered."""

    retry_after_seconds: float = 2

    code: ClassVar[str] = "ledger_unavailable"
    zh: ClassVar[str] = "台账暂不可写,未记入台账的请求不予答复;请在 {retry_after_seconds:.0f} 秒后重试。"
    en: ClassVar[str] = (
        "the ledger cannot be written, and what it does not record is not answered; "
        "ask again in {retry_after_seconds:.0f} s."
    )


@dataclass(eq=False)
class LedgerBusy(LedgerError):
    """Too many leaves wait to be made durable."""

    waiting_max: int
    retry_after_seconds: float = 1

    code: ClassVar[str] = "ledger_busy"
    zh: ClassVar[str] = "等待记入台账的请求已达 {waiting_max} 个;请在 {retry_after_seconds:.0f} 秒后重试。"
    en: ClassVar[str] = (
        "{waiting_max} requests already wait to be recorded in the ledger; ask again in {retry_after_seconds:.0f} s."
    )


@dataclass(eq=False)
class LedgerStale(LedgerError):
    """No signed head for too long."""

    minutes: int
    retry_after_seconds: float = 60

    code: ClassVar[str] = "ledger_stale"
    zh: ClassVar[str] = (
        "台账已超过 {minutes} 分钟没有签名的检查点,在此期间不放行有条件共享的数据,也不办理审批;请通知枢纽管理员。"
    )
    en: ClassVar[str] = (
        "the ledger has had no signed checkpoint for {minutes} minutes; until it has, nothing conditional is released "
        "and nothing approved. Tell the hub's administrator."
    )


@dataclass(eq=False)
class LedgerDamaged(LedgerError):
    """What is stored is not what was sealed."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "ledger_damaged"
    zh: ClassVar[str] = "台账与封存时不符:{problem_zh}。请停止写入并运行 hub ledger verify。"
    en: ClassVar[str] = (
        "the ledger is not what was sealed: {problem_en}. Stop what writes to it and run hub ledger verify."
    )


@dataclass(eq=False)
class WitnessStateUnusable(LedgerError):
    """A witness that cannot remember must not cosign."""

    file: str
    problem: str

    code: ClassVar[str] = "witness_state_unusable"
    zh: ClassVar[str] = "见证人状态文件 {file} 无法使用({problem});不记得上一个检查点就不得联署,请先恢复该文件。"
    en: ClassVar[str] = (
        "the witness's state file {file} cannot be used ({problem}); a witness that does not remember its last "
        "checkpoint must not cosign. Bring the file back."
    )


@dataclass(eq=False)
class WitnessRefused(LedgerError):
    """A witness does not cosign what it was shown: the alarm it raises.

    Args:
        reason: rollback, replay, fork, signature, origin, clock, damaged or late.
    """

    witness: str
    reason: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "witness_refused"
    zh: ClassVar[str] = "见证人 {witness} 拒绝联署({reason}):{problem_zh}。请保全现场并通知审计人员。"
    en: ClassVar[str] = (
        "witness {witness} does not cosign ({reason}): {problem_en}. Keep everything as it is and tell the auditor."
    )
