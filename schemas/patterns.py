r"""Patterns of contracts: the part of regular expressions that RE2 and Rust's engine in polars read alike.

Neither engine backtracks, so no pattern takes more than linear time; but they differ in corners (``\d`` is ASCII to
one and Unicode to the other, ``[a&&b]`` two things), and Rust's refuses what grows too large when compiled. A contract
is held to what both take, so that a check never fails for its pattern once a batch is there.
"""

import re
from typing import Any, Final

import re2

Problem = tuple[str, str]
CHARACTERS_MAX: Final = 500
GROUP_DEPTH_MAX: Final = 20
# What RE2 may use for a pattern; Rust's engine, with 10 MiB, takes everything that fits in here.
COMPILED_BYTES_MAX: Final = 256 * 1024
_ESCAPED = r"\\[-.\\+*?()|\[\]{}^$/]"
# The alternatives begin with different characters: this, too, is linear.
_PORTABLE = re.compile(
    rf"(?:{_ESCAPED}"
    rf"|\[\^?(?:{_ESCAPED}|[^\[\]\\\x00-\x1f])+\]"
    r"|\((?:\?:|(?!\?))|\)"
    r"|\{[0-9]{1,4}(?:,[0-9]{0,4})?\}"
    r"|[.^$|*+?]"
    r"|[^\\\[\](){}.^$|*+?\x00-\x1f])*"
)
_SET_OPERATIONS = re.compile(r"\[(?:\\.|[^\]\\])*(?:&&|--|~~)")


def pattern_problem(pattern: str) -> Problem | None:
    """What is wrong with a pattern, None where nothing is."""
    if len(pattern) > CHARACTERS_MAX:
        return f"模式超过 {CHARACTERS_MAX} 个字符", f"its pattern is longer than {CHARACTERS_MAX} characters"
    if not _PORTABLE.fullmatch(pattern) or _SET_OPERATIONS.search(pattern):
        return (
            "模式只可用字面字符、[…]、分组、| 与 * + ? {n,m};数字写作 [0-9]",
            "its pattern may use characters, […], groups, | and * + ? {n,m} only; write a digit as [0-9]",
        )
    if _depth(pattern) > GROUP_DEPTH_MAX:
        return f"模式分组嵌套超过 {GROUP_DEPTH_MAX} 层", f"its pattern's groups nest deeper than {GROUP_DEPTH_MAX}"
    try:
        re2.compile(pattern, _options())
    except re2.error:
        return "模式有误或过大", "its pattern is wrong or too large"
    return None


def _depth(pattern: str) -> int:
    """How deep groups nest at most, parentheses that stand for themselves left out."""
    depth = deepest = 0
    for character in re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", pattern):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _options() -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.log_errors = False
    options.max_mem = COMPILED_BYTES_MAX
    return options
