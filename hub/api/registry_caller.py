"""Who asks the schema registry. Its clients know HTTP Basic best, so a key or token may come as a password, too."""

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request

from catalog.caller import Caller
from hub.api.dependencies import BearerOf, PartsOf, caller_of
from hub.identity.errors import NotAuthenticated
from hub.identity.tokens import TOKEN_CHARACTERS_MAX

_BASIC_CHARACTERS_MAX = 2 * TOKEN_CHARACTERS_MAX


def registry_caller_of(request: Request, parts: PartsOf, bearer: BearerOf) -> Caller:
    """Who asks: by bearer, or by Basic with any user name and the same key or token as the password (RFC 7617)."""
    headers = request.headers.getlist("authorization")
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return caller_of(request, parts, bearer)
    password = _password(encoded.strip())
    if not password or len(password) > TOKEN_CHARACTERS_MAX:
        raise NotAuthenticated
    return parts.identity.caller(password, parts.clock())


def _password(encoded: str) -> str:
    if len(encoded) > _BASIC_CHARACTERS_MAX:
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


RegistryCallerOf = Annotated[Caller, Depends(registry_caller_of)]
