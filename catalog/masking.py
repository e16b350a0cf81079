"""What a treatment makes of a value, in Python: the meaning that the SQL of ``hub/release/treated.py`` must agree with.

The hub itself masks in the database, so that what is withheld never leaves it. This is the reference: tests compare
the two over random rows, and an explanation can show what a reader would see.
"""

import hmac
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from catalog.decision import Treated
from catalog.resource import FieldKind
from schemas.textform import text_of

PSEUDONYM_HEX_DIGITS: Final = 32  # 128 bits: short enough to read, long enough not to collide
# 《中国姓氏》's compound surnames that are still borne; the rest are one character.
COMPOUND_SURNAMES: Final = (
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "宇文", "长孙", "司徒", "夏侯",
    "端木", "百里", "南宫", "东郭", "西门", "第五", "澹台", "公冶", "宗政", "濮阳", "淳于", "单于", "太史", "申屠",
)  # fmt: skip
# Province, city, county, each named by its last character; the rest of an address is what must not be read.
ADDRESS_TO_COUNTY: Final = (
    "^((?:[^省市州区县旗]{1,12}省)?(?:[^省市州区县旗]{1,12}[市州])?(?:[^省市州区县旗]{1,12}[市区县旗])?)"
)
ADDRESS_TO_CITY: Final = "^((?:[^省市州区县旗]{1,12}省)?(?:[^省市州区县旗]{1,12}[市州])?)"
REGION_DIGITS = 6
GRID_DEGREES: Final = 0.1


def treat(value: Any, treated: Treated, pseudonym_key: bytes) -> Any:  # noqa: ANN401 - of the field's type
    """The value as it leaves; None where there is none or it is withheld.

    Geometry is not done here: only the database has it.
    """
    if value is None or treated.treatment == "withheld":
        return None
    match treated.treatment:
        case "clear":
            return value
        case "pseudonymous":
            digest = hmac.new(pseudonym_key, str(text_of(value)).encode(), "sm3").hexdigest()
            return digest[:PSEUDONYM_HEX_DIGITS]
        case "masked":
            return _MASKS[treated.kind](str(text_of(value)))
        case "generalised":
            return _GENERAL[treated.kind](value)


def _name(text: str) -> str:
    compound = len(text) > 2 and text[:2] in COMPOUND_SURNAMES  # noqa: PLR2004 - longer than the surname itself
    return text[: 2 if compound else 1] + "**"


def _middle(first: int, last: int, stars: int) -> Callable[[str], str]:
    """Keep the ends; a text too short to hide anything in is hidden whole."""

    def mask(text: str) -> str:
        hidden = len(text) <= first + last
        return "*" * stars if hidden else text[:first] + "*" * stars + text[len(text) - last :]

    return mask


def _email(text: str) -> str:
    name, at, domain = text.partition("@")
    return name[:1] + "***" + at + domain


def _address(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def mask(text: str) -> str:
        found = compiled.search(text)
        return (found[1] if found else "") + "***"

    return mask


_MASKS: Final[Mapping[FieldKind, Callable[[str], str]]] = {
    "citizen_id": _middle(1, 1, 16),
    "name": _name,
    "phone": _middle(3, 4, 4),
    "address": _address(ADDRESS_TO_COUNTY),
    "bank_card": _middle(0, 4, 4),
    "email": _email,
    "credit_code": _middle(2, 2, 14),
    "text": lambda text: text[:1] + "**",
}


def _code(value: object) -> str:
    text = str(text_of(value))
    return text[:4].ljust(len(text), "0") if len(text) >= REGION_DIGITS else "*"


def _date(value: date | datetime) -> date | datetime:
    if isinstance(value, datetime):
        return value.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    return value.replace(month=1, day=1)


def _number(value: float | Decimal) -> float | int | Decimal | None:
    """To one significant digit, half away from zero."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if exact == 0:
        return type(value)(0)
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted()), rounding=ROUND_HALF_UP)
    return type(value)(rounded)


_GENERAL: Final[Mapping[FieldKind, Callable[[Any], Any]]] = {
    "citizen_id": lambda text: text[:4] + "*" * 14,
    "address": _address(ADDRESS_TO_CITY),
    "date": _date,
    "code": _code,
    "number": _number,
}
