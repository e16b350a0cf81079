"""Signs of what a field holds: its name and titles, its checks, its type, and what sampled values look like. Pure.

Levels of personal fields follow the contracts' own: direct identifiers with a check digit 4, what leads to a person 3,
codes about a person 2 (PIPL article 28 and GB/T 35273 name the sensitive kinds; the numbers are this hub's).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.masking import COMPOUND_SURNAMES
from catalog.resource import FieldKind, FieldLevel
from schemas.contract import Field
from schemas.identifiers import citizen_id_problem, credit_code_problem


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Args:
        kind: what it points to.
        level: what that kind calls for.
        certainty: a check digit in content 90, a check of the contract 80, content by form 60, a name 50, a type 10.
        why_zh: in words, without values.
        why_en: the same.
    """

    kind: FieldKind
    level: FieldLevel
    certainty: int
    why_zh: str
    why_en: str


LEVELS: Final[Mapping[FieldKind, tuple[FieldLevel, FieldLevel]]] = {  # of others, of persons
    "citizen_id": (4, 4),
    "bank_card": (4, 4),
    "phone": (3, 3),
    "email": (3, 3),
    "name": (2, 3),
    "address": (1, 3),
    "credit_code": (1, 2),
    "geometry": (1, 3),
    "date": (1, 2),
    "code": (1, 2),
    "number": (1, 2),
    "text": (1, 2),
    "other": (1, 2),
}
CONTENT_SHARE: Final = 0.6  # of the values: below it a column holds a kind now and then, but is not of it
NAME_SHARE: Final = 0.9  # names have no check digit, and places begin with surnames too
VALUES_MIN: Final = 5

_TITLES: Final[tuple[tuple[FieldKind, re.Pattern[str]], ...]] = (
    ("citizen_id", re.compile(r"身份证|身份号码|id_number|citizen_id|id_card")),
    ("bank_card", re.compile(r"银行卡|银行账[号户]|bank_card|card_number|bank_account")),
    ("credit_code", re.compile(r"统一社会信用代码|credit_code")),
    ("phone", re.compile(r"电话|手机|(^|_)(phone|mobile|telephone|tel)(_|$)")),
    ("email", re.compile(r"邮箱|电子邮件|(^|_)e?mail(_|$)")),
    ("address", re.compile(r"地址|住址|住所(?!区划)|(^|_)(address|domicile)(_|$)")),
    ("name", re.compile(r"姓名|法定代表人$|联系人$|(^|_)(full_name|person_name|legal_representative)(_|$)")),
)
_BIRTH: Final = re.compile(r"出生|birth")
_NO_NAME: Final = re.compile(r"名称|地名|区划|学校|单位|机关|部门|所在地|city|place|region|division|authority")

_EIGHTEEN: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_CREDIT: Final = re.compile(r"[0-9A-Z]{18}")
_CARD: Final = re.compile(r"[3-6][0-9]{15,18}")
_PHONE: Final = re.compile(r"(?:\+?86-?)?1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ADDRESS: Final = re.compile(r"(?:省|市|区|县|镇|乡|街道?|路|大道|村).{0,60}(?:号|室|栋|幢|单元|组|村|路|大道|街)")
_HAN: Final = re.compile(r"[㐀-鿿·]{2,4}")
_SURNAMES: Final = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏"
    "钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜"
    "倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜路詹关苗凌费纪靳盛童欧甄项曲成"
    "游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚"
    "廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆"
)


# Content -------------------------------------------------------------------------------------------------------------


def signs_of_content(values: Sequence[str], field: Field, *, personal: bool) -> Iterator[Sign]:
    """What values look like. A citizen ID anywhere in them counts, however seldom: it is a person's all the same."""
    if any(has_citizen_id(value) for value in values):
        yield _sign("citizen_id", 90, "内容含公民身份号码(校验位正确)", "values hold citizen IDs", personal=personal)
    if len(values) < VALUES_MIN:
        return
    for kind, certainty, looks, words in _LOOKS:
        share = CONTENT_SHARE
        if kind == "name":
            if _NO_NAME.search(_named(field)):
                continue
            share = NAME_SHARE
        if sum(map(looks, values)) >= share * len(values):
            yield _sign(kind, certainty, f"内容形如{words[0]}", f"values look like {words[1]}", personal=personal)


def has_citizen_id(text: str) -> bool:
    """Whether a text holds a citizen ID with the right check digit and a birthday that exists (GB 11643-1999)."""
    return any(citizen_id_problem(found.upper()) is None for found in _EIGHTEEN.findall(text))


def is_bank_card(text: str) -> bool:
    """16 to 19 digits of a card issuer, with the check digit of ISO/IEC 7812 (Luhn)."""
    digits = text.replace(" ", "")
    if not _CARD.fullmatch(digits):
        return False
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004 - Luhn's own digits


def is_credit_code(text: str) -> bool:
    """A credit code with both check characters right (GB 32100-2015)."""
    return _CREDIT.fullmatch(text) is not None and credit_code_problem(text) is None


def is_name(text: str) -> bool:
    """Two to four Chinese characters that begin with a surname, compound ones (欧阳) among them."""
    if not _HAN.fullmatch(text):
        return False
    if text[:2] in COMPOUND_SURNAMES:
        return len(text) > 2  # noqa: PLR2004 - a compound surname alone is no name
    return text[0] in _SURNAMES and len(text) <= 3  # noqa: PLR2004 - a surname and one or two characters


_LOOKS: Final[tuple[tuple[FieldKind, int, Callable[[str], bool], tuple[str, str]], ...]] = (
    ("credit_code", 90, is_credit_code, ("统一社会信用代码(校验位正确)", "credit codes, check characters right")),
    ("bank_card", 90, is_bank_card, ("银行卡号(校验位正确)", "card numbers, check digits right")),
    ("phone", 60, lambda text: _PHONE.fullmatch(text) is not None, ("电话号码", "telephone numbers")),
    ("email", 60, lambda text: _EMAIL.fullmatch(text) is not None, ("电子邮箱", "e-mail addresses")),
    ("address", 60, lambda text: _ADDRESS.search(text) is not None, ("地址", "addresses")),
    ("name", 60, is_name, ("姓名", "names of persons")),
)


# Field ---------------------------------------------------------------------------------------------------------------


def signs_of_field(field: Field, *, personal: bool) -> Iterator[Sign]:
    """What the contract says of a field: checks, name and titles, type. The type is always a sign."""
    for check in field.checks:
        if check.kind in {"citizen_id", "credit_code"}:
            kind: FieldKind = "citizen_id" if check.kind == "citizen_id" else "credit_code"
            yield _sign(kind, 80, "契约按此检查", "the contract checks it so", personal=personal)
        if check.kind in {"code_list", "division"}:
            yield _sign("code", 80, "契约规定为代码", "the contract takes codes", personal=personal)
    text = _named(field)
    for kind, pattern in _TITLES:
        if field.type.kind == "string" and pattern.search(text):
            yield _sign(kind, 50, "名称如此", "its name says so", personal=personal)
            break
    if personal and field.name == "name":
        yield _sign("name", 50, "名称如此", "its name says so", personal=True)
    if field.type.kind == "date" and _BIRTH.search(text):
        yield Sign("date", 3, 50, "出生日期", "a birth date")
    yield _sign(_kind_of_type(field), 10, "类型如此", "its type", personal=personal)


def _kind_of_type(field: Field) -> FieldKind:
    of = field.type.kind
    if of == "geometry":
        return "geometry"
    if of in {"date", "timestamp_millis", "timestamp_micros"}:
        return "date"
    if of in {"int", "long", "float", "double", "decimal"}:
        return "number"
    return {"boolean": "code", "string": "text"}.get(of, "other")  # pyright: ignore[reportReturnType] - kinds as written


def _sign(kind: FieldKind, certainty: int, why_zh: str, why_en: str, *, personal: bool) -> Sign:
    return Sign(kind, LEVELS[kind][1 if personal else 0], certainty, why_zh, why_en)


def _named(field: Field) -> str:
    return f"{field.name} {field.title_zh} {field.title_en}".lower()
