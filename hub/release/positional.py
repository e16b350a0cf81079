"""Named placeholders as numbered ones, as the driver does for its cursors: for statements that go to libpq directly."""

import re
from functools import lru_cache
from typing import Final

_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s|%%")
REMEMBERED_MAX: Final = 4_096


@lru_cache(REMEMBERED_MAX)
def positional(text: str) -> tuple[bytes, tuple[str, ...]]:
    """``%(a)s`` → ``$1``, ``%%`` → ``%``; and the names in the order of their numbers, each once."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PLACEHOLDER.sub(numbered, text).encode(), tuple(names)
