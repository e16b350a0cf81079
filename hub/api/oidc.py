"""The built-in OpenID provider over HTTP, at the standard paths its discovery document names.

Its answers are those of the standards (RFC 6749, 7009, 7636, 8414, 9207; OpenID Connect Core, Discovery, RP-Initiated
Logout), so errors here are not problem documents. With another issuer in the settings none of this is there.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from hub.api.body import read_body
from hub.api.dependencies import BearerOf, LanguageOf, PartsOf, bearer_of
from hub.api.errors import BodyEmpty, OidcAbsent
from hub.api.oidc_page import sign_in_page, signed_out_page, stopped_page
from hub.api.problems import status_of
from hub.identity.embedded_issuer import Client, EmbeddedIssuer
from hub.identity.embedded_issuer_request import (
    SCOPES,
    AuthorizationRequest,
    Misdirected,
    read_request,
    redirected,
)
from hub.identity.errors import (
    AuthorizationRefused,
    NotAuthenticated,
    SignInRefused,
    SignInsTooMany,
    TokenRefused,
)
from hub.identity.person_store import find_account
from hub.identity.sign_in import sign_in

# Described by its discovery document, as its clients expect, and not by /v1/openapi.json.
router = APIRouter(prefix="/v1/oidc", include_in_schema=False)

FORM_BYTES_MAX = 16 * 1024
PARAMETERS_MAX = 40
_FORM = "application/x-www-form-urlencoded"
_NOT_OF_THE_REQUEST = ("login", "password", "answer")


def issuer_of(parts: PartsOf) -> EmbeddedIssuer:
    """The built-in issuer, where it is the one the hub trusts."""
    if parts.issuer is None:
        raise OidcAbsent
    return parts.issuer


IssuerOf = Annotated[EmbeddedIssuer, Depends(issuer_of)]

# Discovery -----------------------------------------------------------------------------------------------------------


@router.get("/.well-known/openid-configuration")
def read_discovery(issuer: IssuerOf) -> JSONResponse:
    """OpenID Connect Discovery 1.0."""
    base = issuer.issuer
    clients = ["client_secret_basic", "client_secret_post", "none"]
    return JSONResponse(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "revocation_endpoint": f"{base}/revoke",
            "end_session_endpoint": f"{base}/logout",
            "jwks_uri": f"{base}/jwks",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": clients,
            "revocation_endpoint_auth_methods_supported": clients,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "preferred_username"],
            "ui_locales_supported": ["zh", "en"],
        },
        headers={"cache-control": "public, max-age=300"},
    )


@router.get("/jwks")
def read_jwks(issuer: IssuerOf, parts: PartsOf) -> JSONResponse:
    """The keys tokens are signed with."""
    return JSONResponse(dict(issuer.jwks(parts.clock())), headers={"cache-control": "public, max-age=300"})


# Signing in ----------------------------------------------------------------------------------------------------------


@router.get("/authorize")
def show_sign_in(request: Request, issuer: IssuerOf, language: LanguageOf) -> Response:
    """Put a request before the person."""
    try:
        given = _parameters(request.url.query)
        asked = read_request(given, issuer.application(given.get("client_id", "")))
    except AuthorizationRefused as refused:
        return stopped_page(refused.sentence(language), language, status_of(AuthorizationRefused))
    if isinstance(asked, Misdirected):
        return _misdirected(asked, issuer)
    return sign_in_page(asked, given, language)


@router.post("/authorize")
async def answer_sign_in(request: Request, issuer: IssuerOf, parts: PartsOf, language: LanguageOf) -> Response:
    """The person's answer: a code for the application, the form again, or a refusal."""
    try:
        form = await _form(request)
        given = {name: value for name, value in form.items() if name not in _NOT_OF_THE_REQUEST}
        asked = read_request(given, await run_in_threadpool(issuer.application, given.get("client_id", "")))
    except AuthorizationRefused as refused:
        return stopped_page(refused.sentence(language), language, status_of(AuthorizationRefused))
    if isinstance(asked, Misdirected):
        return _misdirected(asked, issuer)
    if form.get("answer") != "allow":
        return _see_other(asked.answer(issuer.issuer, error="access_denied"))
    login, password, address = form.get("login", ""), form.get("password", ""), _address_of(request)

    def code() -> str:
        now = parts.clock()
        return issuer.code(asked, sign_in(parts.pool, login.strip(), password, address, now), now)

    try:
        return _see_other(asked.answer(issuer.issuer, code=await run_in_threadpool(code)))
    except (SignInRefused, SignInsTooMany) as refused:
        return _again(asked, given, language, refused)


def _again(
    asked: AuthorizationRequest,
    given: Mapping[str, str],
    language: LanguageOf,
    refused: SignInRefused | SignInsTooMany,
) -> Response:
    headers: dict[str, str] = {}
    if isinstance(refused, SignInsTooMany):
        headers["retry-after"] = str(int(refused.retry_after_seconds))
    problem = refused.sentence(language)
    return sign_in_page(asked, given, language, problem=problem, status=status_of(type(refused)), headers=headers)


def _misdirected(asked: Misdirected, issuer: EmbeddedIssuer) -> Response:
    members = {"error": asked.error, "error_description": asked.reason, "iss": issuer.issuer}
    return _see_other(redirected(asked.redirect_uri, {**members, **({"state": asked.state} if asked.state else {})}))


def _see_other(address: str) -> Response:
    return RedirectResponse(address, 303, headers={"referrer-policy": "no-referrer", "cache-control": "no-store"})


# Tokens --------------------------------------------------------------------------------------------------------------


@router.post("/token")
async def issue_token(request: Request, issuer: IssuerOf, parts: PartsOf) -> Response:
    """RFC 6749 §3.2."""

    def issued(form: Mapping[str, str]) -> Mapping[str, Any]:
        now = parts.clock()
        return issuer.token(_client(request, form, issuer, parts), form, now)

    try:
        form = await _form(request)
        answer = await run_in_threadpool(issued, form)
    except AuthorizationRefused:
        return _refused(TokenRefused("invalid_request", "a form is needed, no parameter twice"), request)
    except TokenRefused as refused:
        return _refused(refused, request)
    return JSONResponse(dict(answer), headers={"cache-control": "no-store", "pragma": "no-cache"})


@router.post("/revoke")
async def revoke_token(request: Request, issuer: IssuerOf, parts: PartsOf) -> Response:
    """RFC 7009: 200 for a token that is none, too."""

    def revoke(form: Mapping[str, str]) -> None:
        now = parts.clock()
        client = _client(request, form, issuer, parts)
        token = form.get("token", "")
        if issuer.revoke_refresh(client, token, now):
            return
        try:
            verified = parts.tokens.verify(token, now)
        except NotAuthenticated:
            return
        if verified.client == client.application.id and verified.ids:
            issuer.revoke(verified.ids[0], now)

    try:
        await run_in_threadpool(revoke, await _form(request))
    except AuthorizationRefused:
        return _refused(TokenRefused("invalid_request", "a form is needed, no parameter twice"), request)
    except TokenRefused as refused:
        return _refused(refused, request)
    return Response(status_code=200)


def _client(request: Request, form: Mapping[str, str], issuer: EmbeddedIssuer, parts: PartsOf) -> Client:
    """Client authentication by Basic or in the form, never both (RFC 6749 §2.3)."""
    headers = request.headers.getlist("authorization")
    if not headers:
        return issuer.client(form.get("client_id", ""), form.get("client_secret"), parts.clock())
    if len(headers) > 1 or "client_secret" in form:
        raise TokenRefused("invalid_request", "more than one way of authenticating the client")
    scheme, _, text = headers[0].partition(" ")
    try:
        user, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        user, secret = "", ""
    client_id = unquote_plus(user)
    if scheme.lower() != "basic" or form.get("client_id", client_id) != client_id:
        raise TokenRefused("invalid_client", "Basic authentication with the application's id and key is needed")
    return issuer.client(client_id, unquote_plus(secret), parts.clock())


def _refused(refused: TokenRefused, request: Request) -> Response:
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    status = 400
    if refused.error == "invalid_client":
        status = 401
        if "authorization" in request.headers:
            headers["www-authenticate"] = 'Basic realm="hub"'
    return JSONResponse(
        {"error": refused.error, "error_description": refused.reason}, status_code=status, headers=headers
    )


# Who is signed in ----------------------------------------------------------------------------------------------------


@router.api_route("/userinfo", methods=["GET", "POST"])
def read_userinfo(request: Request, parts: PartsOf, bearer: BearerOf, _: IssuerOf) -> JSONResponse:
    """OpenID Connect Core §5.3: as much of the account as was consented to."""
    token, now = bearer_of(request, bearer), parts.clock()
    caller = parts.identity.caller(token, now)  # the kill-list included
    scope = parts.tokens.verify(token, now).scope
    if caller.person is None or "openid" not in scope:
        raise NotAuthenticated
    account = caller.id.removeprefix("person:")
    with parts.pool.connection() as conn:
        found = find_account(conn, account)
    if found is None:
        raise NotAuthenticated
    claims: dict[str, str | None] = {"sub": account}
    if "profile" in scope:
        claims |= {"preferred_username": found.login, "name": found.display_name}
        if found.organization is not None:
            claims["organization"] = found.organization
    return JSONResponse(claims, headers={"cache-control": "no-store"})


@router.api_route("/logout", methods=["GET", "POST"])
async def sign_out(request: Request, issuer: IssuerOf, parts: PartsOf, language: LanguageOf) -> Response:
    """RP-Initiated Logout 1.0: the sign-in that the id token is of ends, with all its tokens."""
    try:
        given = await _form(request) if request.method == "POST" else _parameters(request.url.query)
    except AuthorizationRefused as refused:
        return stopped_page(refused.sentence(language), language, status_of(AuthorizationRefused))

    def ended() -> str | None:
        now = parts.clock()
        hint = parts.tokens.id_token_hint(given.get("id_token_hint", ""))
        if hint is None:
            return None
        session, client = hint
        issuer.revoke(session, now)
        application = issuer.application(client)
        target = given.get("post_logout_redirect_uri")
        return target if application is not None and target in application.redirect_uris else None

    target = await run_in_threadpool(ended)
    if target is None:
        return signed_out_page(language)
    return _see_other(redirected(target, {"state": given["state"]}) if "state" in given else target)


# Reading -------------------------------------------------------------------------------------------------------------


async def _form(request: Request) -> Mapping[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise AuthorizationRefused
    try:
        body = await read_body(request, FORM_BYTES_MAX)
        return _parameters(body.decode())
    except (UnicodeDecodeError, BodyEmpty):
        raise AuthorizationRefused from None


def _parameters(text: str) -> Mapping[str, str]:
    """Parameters by name; one that stands twice could be read in two ways (RFC 6749 §3.1)."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError:
        raise AuthorizationRefused from None
    given = dict(pairs)
    if len(given) != len(pairs) or any("\x00" in value for value in given.values()):
        raise AuthorizationRefused
    return {name: value for name, value in given.items() if value}


def _address_of(request: Request) -> str:
    """Of the connection itself: what a header says of it anyone can write."""
    return request.client.host if request.client is not None else ""
