"""What can be wrong with a contract: which field, which rule.

ContractError
├── ContractUnreadable      no JSON, or JSON that can be read two ways
├── ContractWrong           the record as a whole breaks a rule
└── ContractFieldWrong      a field breaks a rule
"""

from dataclasses import dataclass
from typing import ClassVar, NoReturn

from schemas.errors import ContractError


@dataclass(eq=False)
class ContractUnreadable(ContractError):
    """No JSON, or JSON that can be read two ways."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "contract_unreadable"
    zh: ClassVar[str] = "合同不可读:{problem_zh}。"
    en: ClassVar[str] = "the contract cannot be read: {problem_en}."


@dataclass(eq=False)
class ContractWrong(ContractError):
    """The record as a whole breaks a rule."""

    rule: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "contract_wrong"
    zh: ClassVar[str] = "合同违反规则 {rule}:{problem_zh}。"
    en: ClassVar[str] = "the contract breaks rule {rule}: {problem_en}."


@dataclass(eq=False)
class ContractFieldWrong(ContractError):
    """A field breaks a rule."""

    field: str
    rule: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "contract_field_wrong"
    zh: ClassVar[str] = "合同字段 {field} 违反规则 {rule}:{problem_zh}。"
    en: ClassVar[str] = "field {field} of the contract breaks rule {rule}: {problem_en}."


def shown(name: object) -> str:
    """A stranger's name for a sentence: short, and without characters that could spoil it."""
    return ascii(name)[1:-1][:80] if isinstance(name, str) else "?"


def refuse(rule: str, zh: str, en: str) -> NoReturn:
    """The record as a whole breaks ``rule``."""
    raise ContractWrong(rule, zh, en)


def refuse_field(field: str, rule: str, zh: str, en: str) -> NoReturn:
    """``field`` breaks ``rule``."""
    raise ContractFieldWrong(field, rule, zh, en)
