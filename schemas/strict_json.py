"""JSON as strangers may write it to us: one reading only, bounded, or refused.

Python's parser takes the last of two equal names, numbers beyond any double and half a surrogate pair; two programs
could then read one signed text differently.
"""

import json
import math
from typing import Any

DEPTH_MAX = 32
INTEGER_DIGITS_MAX = 19
INTEGER_MAX = 2**53 - 1  # RFC 7493: beyond it programs disagree


class StrictJsonError(ValueError):
    """Why a text is refused, in both languages; the caller says where the text stood."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def read_strict(text: bytes, *, depth_max: int = DEPTH_MAX, floats: bool = False) -> object:
    """Parse UTF-8 JSON.

    Args:
        text: the bytes; the caller has bounded their number.
        depth_max: how deep arrays and objects may nest.
        floats: whether numbers with a fraction or an exponent are allowed.

    Raises:
        StrictJsonError: the text is not JSON, or could be read in more than one way.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_float=_float if floats else _no_float,
            parse_int=_int,
            parse_constant=_no_float,
        )
    except UnicodeDecodeError:
        raise StrictJsonError("不是 UTF-8 编码", "it is not UTF-8") from None
    except RecursionError:
        raise _too_deep(depth_max) from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"第 {error.pos} 个字符处不是 JSON", f"it is not JSON at character {error.pos}") from None
    _look_through(value, depth_max)
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJsonError("同一对象中有重名成员", "an object has two members of one name")
    return members


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise StrictJsonError("数值超出范围", "a number is out of range")
    return value


def _no_float(_: str) -> float:
    raise StrictJsonError("数值必须是整数", "numbers must be integers")


def _int(text: str) -> int:
    if len(text) > INTEGER_DIGITS_MAX or abs(int(text)) > INTEGER_MAX:
        raise StrictJsonError("整数超出范围", "an integer is out of range")
    return int(text)


def _too_deep(depth_max: int) -> StrictJsonError:
    return StrictJsonError(f"嵌套超过 {depth_max} 层", f"it nests deeper than {depth_max} levels")


def _look_through(value: object, depth_max: int) -> None:
    """Refuse what parsed but should not have; without recursion, for the depth is what is in question."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > depth_max:
            raise _too_deep(depth_max)
        if isinstance(one, dict):
            waiting.extend((part, depth + 1) for pair in one.items() for part in pair)
        elif isinstance(one, list):
            waiting.extend((part, depth + 1) for part in one)
        elif isinstance(one, str) and not one.isascii():
            _refuse_lone_surrogates(one)


def _refuse_lone_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise StrictJsonError("文本含不完整的代理对", "a text holds half of a surrogate pair") from None
