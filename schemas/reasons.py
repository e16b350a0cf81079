"""Reasons: why a record was rejected or flagged, in words its sender understands.

The table is closed: a code that is not here cannot be given. Sentences never repeat the value: it may be personal, and
its sender has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as member  # the class has a field named field

from schemas.errors import Language

Parameter = str | int | float

REASONS: Mapping[str, tuple[str, str]] = {
    "required": ("此项必填,请补上。", "this field is required; fill it in."),
    "type": (
        "此值不是 {expected} 类型,请按合同的格式填写。",
        "the value is not of type {expected}; write it in the contract's form.",
    ),
    "length": ("长度应在 {min} 到 {max} 个字符之间。", "the length must be between {min} and {max} characters."),
    "pattern": ("格式不符,应匹配 {pattern}。", "the form is wrong; it must match {pattern}."),
    "range": ("数值应在 {min} 到 {max} 之间。", "the value must be between {min} and {max}."),
    "code_unknown": ("代码不在代码表 {list} 中。", "the code is not in code list {list}."),
    "citizen_id_form": (
        "公民身份号码应为 18 位:17 位数字加一位数字或大写 X(GB 11643)。",
        "a citizen ID has 18 characters: 17 digits, then a digit or a capital X (GB 11643).",
    ),
    "citizen_id_birthday": (
        "公民身份号码第 7 至 14 位不是存在的日期。",
        "characters 7 to 14 of the citizen ID are not a date that exists.",
    ),
    "citizen_id_check": (
        "公民身份号码的校验位不对,请核对是否有录入错误(GB 11643)。",
        "the check digit of the citizen ID is wrong; look for a typing mistake (GB 11643).",
    ),
    "credit_code_form": (
        "统一社会信用代码应为 18 位,只用数字和除 I、O、S、V、Z 外的大写字母(GB 32100)。",
        "a credit code has 18 characters: digits and capital letters but I, O, S, V, Z (GB 32100).",
    ),
    "credit_code_check": (
        "统一社会信用代码的校验位不对,请核对是否有录入错误(GB 32100)。",
        "the check character of the credit code is wrong; look for a typing mistake (GB 32100).",
    ),
    "credit_code_organisation": (
        "统一社会信用代码中的组织机构代码(第 9 至 17 位)校验位不对(GB 11714)。",
        "the organisation code inside the credit code (characters 9 to 17) has a wrong check character (GB 11714).",
    ),
    "division_unknown": ("区划代码不存在(GB/T 2260)。", "there is no division of this code (GB/T 2260)."),
    "division_retired": (
        "区划代码在所用日期之前已撤销,请改用现行代码。",
        "the division's code was retired before the date it is used at; use the code that replaced it.",
    ),
    "not_future": ("日期不应晚于今天。", "the date must not lie in the future."),
    "order": ("{first} 应不晚于 {then}。", "{first} must not be later than {then}."),
    "birth_date_disagrees": (
        "出生日期与公民身份号码中的不一致。",
        "the birth date is not the one in the citizen ID.",
    ),
    "sex_disagrees": ("性别与公民身份号码第 17 位不一致。", "the sex is not the one digit 17 of the citizen ID tells."),
    "same_person": ("{first} 与 {then} 不应相同。", "{first} and {then} must not be the same."),
    "required_when": (
        "{field} 为所填值时,此项必填。",
        "this field is required for the value given in {field}.",
    ),
    "unit_mismatch": (
        "计量单位与指标规定的不一致,应为 {unit}。",
        "the unit contradicts the indicator, which is measured in {unit}.",
    ),
    "geometry_unreadable": (
        "几何不是可读的 EWKB。",
        "the geometry is no readable EWKB.",
    ),
    "geometry_type": ("几何类型应为 {types}。", "the geometry must be of type {types}."),
    "geometry_empty": ("几何为空,没有坐标。", "the geometry is empty: it has no coordinates."),
    "geometry_dimensions": (
        "几何应为二维,请去掉高程(Z)和度量(M)。",
        "the geometry must have two dimensions; take out Z and M.",
    ),
    "geometry_srid": ("坐标系应为 EPSG:4490。", "the coordinates must be in EPSG:4490."),
    "geometry_invalid": (
        "图形无效(如自相交),在经度 {lon}、纬度 {lat} 附近:{problem}。",
        "the shape is not valid near longitude {lon}, latitude {lat}: {problem}.",
    ),
    "outside_extent": (
        "坐标在允许范围(经度 {west} 至 {east},纬度 {south} 至 {north})之外。",
        "the coordinates lie outside longitude {west} to {east}, latitude {south} to {north}.",
    ),
    "coordinates_swapped": (
        "经度与纬度似乎颠倒了,应先经度后纬度。",
        "longitude and latitude seem to be swapped; longitude comes first.",
    ),
    "control_character": (
        "文字中有不可见的控制字符(如 NUL),请去掉。",
        "the text holds an invisible control character such as NUL; take it out.",
    ),
    "private_use_character": (
        "文字中有私用区字符(自造字),其他系统可能无法显示,已收下并标记。",
        "the text holds a private-use character that others may not be able to show; taken, and flagged.",
    ),
    "version_ahead": (
        "版本时间比现在晚 60 秒以上,请核对来源系统的时钟。",
        "the version lies more than 60 seconds ahead; look at the source system's clock.",
    ),
    "key_too_long": (
        "主键(或所引用记录的主键)的文字按 UTF-8 合计超过 {max} 字节。",
        "the texts of the key, or of the key that is referred to, are longer than {max} bytes of UTF-8 together.",
    ),
    "conflict": (
        "同一主键、同一版本的另一条记录内容不同,已保留另一条。请以更高的版本重新报送正确的内容。",
        (
            "another record of the same key and version says something else and was kept; "
            "send what is right with a higher version."
        ),
    ),
    "conflict_in_batch": (
        "本批次中同一主键、同一版本有内容不同的记录,均未收下。请只报送正确的一条。",
        "the batch holds records of the same key and version that differ, and none was taken; send the right one only.",
    ),
    "reference_missing": (
        "在 {dataset} 中没有所引用的记录,将在其到达后自动重试。",
        "{dataset} has no record that this one refers to; it is tried again when that one comes.",
    ),
    "record_damaged": (
        "消息中的字节不是其模式的一条记录,无法解码。请核对写入程序所用的模式后重新报送。",
        "the bytes of the message are no record of the schema that it names; write it anew with the right one.",
    ),
    "store_refused": (
        "数据库拒绝了此记录(SQLSTATE {sqlstate})。请联系枢纽运维。",
        "the database refused this record (SQLSTATE {sqlstate}); tell the hub's operators.",
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, about one field or about the record.

    Args:
        code: a key of ``REASONS``.
        field: the field's name, None where the record as a whole is meant.
        params: what fills the sentence.
    """

    code: str
    field: str | None = None
    params: Mapping[str, Parameter] = member(default_factory=dict[str, Parameter])

    def sentence(self, language: Language) -> str:
        """The reason in words."""
        zh, en = REASONS[self.code]
        return (zh if language == "zh" else en).format(**self.params)

    def to_json(self) -> dict[str, str | None]:
        """How it stands in quarantine and in reports."""
        return {"code": self.code, "field": self.field, "zh": self.sentence("zh"), "en": self.sentence("en")}
