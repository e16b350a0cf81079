"""What a request for records says in its headers and its address: purpose, grant, format, reference."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.types import Scope

from catalog.decision import Asked
from hub.release.errors import QueryWrong
from hub.release.formats import chosen_format, for_spreadsheet
from hub.release.page import Ask
from hub.release.query import Wanted

PURPOSE_CHARACTERS_MAX: Final = 200
GRANT_CHARACTERS_MAX: Final = 36
FORMAT_PARAMETERS: Final = ("format", "for")
RECORD_PARAMETERS: Final = frozenset({"fields", "as_of", "format", "for"})

Pairs = Sequence[tuple[str, str]]


def asked_of(request: Request) -> Asked:
    """Purpose and grant as stated.

    Raises:
        QueryWrong: a header is repeated or cannot be read.
    """
    return _asked(_header(request, "hub-purpose"), _header(request, "hub-grant"))


@lru_cache(1_000)  # a caller states the same each time
def _asked(purpose: str | None, grant: str | None) -> Asked:
    return Asked("api", _purpose(purpose), _grant(grant))


def ask_of(
    request: Request, dataset: str, wanted: Wanted, pairs: Pairs, *, from_body: bool = False, single: bool = False
) -> Ask:
    """What a request for records asks for.

    Args:
        request: with its headers.
        dataset: id.
        wanted: the query.
        pairs: the parameters of the address.
        from_body: whether the query came in the body.
        single: whether one record is asked for.
    """
    form = {name: _once(pairs, name) for name in FORMAT_PARAMETERS}
    chosen = chosen_format(request.headers.get("accept", ""), form["format"])
    return Ask(
        dataset=dataset,
        asked=asked_of(request),
        wanted=wanted,
        single=single,
        format=chosen,
        spreadsheet=for_spreadsheet(form["for"], chosen),
        path=request.scope["path"],
        parameters=None if from_body else tuple(pairs),
        if_none_match=None if from_body else request.headers.get("if-none-match"),
    )


def pairs_of(request: Request, allowed: frozenset[str] | None = None) -> list[tuple[str, str]]:
    """The parameters of the address, in order.

    Raises:
        QueryWrong: one that is not among those allowed.
    """
    pairs = list(request.query_params.multi_items())
    if allowed is not None and any(name not in allowed for name, _ in pairs):
        known = ", ".join(sorted(allowed))
        raise QueryWrong("?", f"此处只有参数 {known}", f"the parameters here are {known}")
    return pairs


def reference_of(scope: Scope) -> str:
    """The record's reference as it stood in the address: a comma parts a key only where it was not encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"/records/")[2].decode("ascii", "replace")


def _once(pairs: Pairs, name: str) -> str | None:
    values = [value for found, value in pairs if found == name]
    if len(values) > 1:
        raise QueryWrong(name, "只能给出一次", "it may be given once")
    return values[0] if values else None


def _purpose(value: str | None) -> str | None:
    """The stated purpose: UTF-8, percent-encoded or as it is."""
    if value is None:
        return None
    try:
        purpose = unquote_to_bytes(value.encode("latin-1")).decode("utf-8").strip()
    except UnicodeError:
        purpose = ""
    if not purpose or len(purpose) > PURPOSE_CHARACTERS_MAX or not purpose.isprintable():
        raise QueryWrong(
            "hub-purpose",
            f"应为 1 至 {PURPOSE_CHARACTERS_MAX} 字,UTF-8,可用百分号编码",
            f"1 to {PURPOSE_CHARACTERS_MAX} characters of UTF-8, which may be percent-encoded",
        )
    return purpose


def _grant(value: str | None) -> str | None:
    if value is not None and not (0 < len(value) <= GRANT_CHARACTERS_MAX and value.replace("-", "").isalnum()):
        raise QueryWrong("hub-grant", "应为授权编号", "it must be the id of a grant")
    return value


def _header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise QueryWrong(name, "只能给出一次", "it may be given once")
    return values[0] if values else None
