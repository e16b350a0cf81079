"""The parameters of an address: an endpoint's own and, but for lists, each once.

FastAPI overlooks what it does not know and takes the last of what stands twice: a misspelt limit would be none, and two
readers of one address could read it differently. Endpoints that read their parameters themselves refuse the same.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime
from pydantic_core import PydanticKnownError

from hub.api.errors import RequestInvalid
from hub.api.invalid import told_name

OPAQUE_ID: Final = "^[0-9A-Za-z-]{1,100}$"  # of an id in an address, whose form is nobody's business


def _in_utc(instant: datetime) -> datetime:
    # The first and last hours of the calendar lie outside it in UTC; the store would take them and not give them back.
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise PydanticKnownError("datetime_parsing", {"error": "out of the calendar"}) from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]  # any offset is taken; the store knows those up to 15:59


async def own_parameters(request: Request) -> None:
    """Refuse what the endpoint's signature does not name.

    Raises:
        RequestInvalid: naming the parameter.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)  # noqa: S101 - a dependency is one of a route
    fields = [field for field in get_flat_params(route.dependant) if isinstance(field.field_info, Query)]
    known = {field.alias: _takes_many(field.field_info.annotation) for field in fields}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            raise _wrong(name, "没有此项", "there is nothing of this name here")
        if name in seen and not known[name]:
            raise _wrong(name, "只能给出一次", "it may be given once")
        seen.add(name)


def _wrong(name: str, zh: str, en: str) -> RequestInvalid:
    where = f"query.{told_name(name)}"
    told = {"where": where, "rule_zh": zh, "rule_en": en}
    return RequestInvalid(invalid=[told], where_zh=f"{where} {zh}", where_en=f"{where}: {en}")


def _takes_many(annotation: object) -> bool:
    return get_origin(annotation) in (list, Sequence) or any(map(_takes_many, get_args(annotation)))
