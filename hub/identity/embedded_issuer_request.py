"""What an application asks of the built-in issuer's authorize endpoint (RFC 6749 §4.1, RFC 7636, OpenID Connect Core).

Until client and redirect URI are known to belong together nobody is redirected anywhere; from then on the application
is told what was wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from hub.identity.application_store import Application
from hub.identity.errors import ApplicationWrong, AuthorizationRefused

SCOPES = ("openid", "profile", "act")
STATE_CHARACTERS_MAX = 1_000
NONCE_CHARACTERS_MAX = 255
URI_CHARACTERS_MAX = 1_000
REDIRECT_URIS_MAX = 10
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_URI = re.compile(r"[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]+")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be put before a person."""

    application: str
    application_name: str
    redirect_uri: str
    scope: tuple[str, ...]
    challenge: str
    state: str | None
    nonce: str | None

    def answer(self, issuer: str, **members: str) -> str:
        """Where the person goes next: the redirect URI with these members, the state and the issuer (RFC 9207)."""
        return redirected(
            self.redirect_uri, {**members, **({"state": self.state} if self.state else {}), "iss": issuer}
        )


@dataclass(frozen=True, slots=True)
class Misdirected:
    """A request of a known client that cannot be met: the client is told, at its redirect URI."""

    redirect_uri: str
    error: str
    reason: str
    state: str | None


def redirected(uri: str, members: Mapping[str, str]) -> str:
    """A redirect URI with members added to its query."""
    return f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(members)}"


def check_redirect_uris(redirect_uris: list[str]) -> None:
    """Whether people may be sent back there: https, or http on the loopback address; no fragment, no user.

    Raises:
        ApplicationWrong: naming the rule.
    """
    rule = f"at most {REDIRECT_URIS_MAX}; https://…, or http:// on 127.0.0.1, localhost or [::1]; no # and no user"
    if len(redirect_uris) > REDIRECT_URIS_MAX or not all(_is_redirect_uri(uri) for uri in redirect_uris):
        raise ApplicationWrong(field="redirect_uris", rule=rule)


def _is_redirect_uri(uri: str) -> bool:
    if len(uri) > URI_CHARACTERS_MAX or not _URI.fullmatch(uri) or "#" in uri:
        return False
    try:
        parts = urlsplit(uri)
        is_loopback = parts.hostname in _LOOPBACK
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback)


def read_request(given: Mapping[str, str], application: Application | None) -> AuthorizationRequest | Misdirected:
    """The request, or what is wrong with it for the client to hear.

    Args:
        given: the parameters, none of them twice.
        application: the one ``client_id`` names, if there is one and it is not suspended.

    Raises:
        AuthorizationRefused: client and redirect URI do not belong together, so nobody is redirected.
    """
    redirect_uri = given.get("redirect_uri", "")
    if application is None or redirect_uri not in application.redirect_uris:
        raise AuthorizationRefused
    state = given.get("state")
    if state is not None and len(state) > STATE_CHARACTERS_MAX:
        return Misdirected(redirect_uri, "invalid_request", "state is too long", None)
    error = _error_in(given)
    if error is not None:
        return Misdirected(redirect_uri, *error, state)
    asked = given.get("scope", "").split()
    return AuthorizationRequest(
        application=application.id,
        application_name=application.name,
        redirect_uri=redirect_uri,
        scope=tuple(one for one in SCOPES if one in asked),
        challenge=given["code_challenge"],
        state=state,
        nonce=given.get("nonce"),
    )


def _error_in(given: Mapping[str, str]) -> tuple[str, str] | None:
    """The error of RFC 6749 §4.1.2.1 and why; the first of these that applies."""
    rules = (
        ("request" not in given, "request_not_supported", "request is not taken"),
        ("request_uri" not in given, "request_uri_not_supported", "request_uri is not taken"),
        (given.get("response_type") == "code", "unsupported_response_type", "response_type must be code"),
        (given.get("response_mode", "query") == "query", "invalid_request", "response_mode must be query"),
        (_has_challenge(given), "invalid_request", "PKCE is needed: code_challenge, code_challenge_method=S256"),
        (len(given.get("nonce", "")) <= NONCE_CHARACTERS_MAX, "invalid_request", "nonce is too long"),
        ("none" not in given.get("prompt", "").split(), "login_required", "each sign-in is put before the person"),
    )
    return next(((error, reason) for holds, error, reason in rules if not holds), None)


def _has_challenge(given: Mapping[str, str]) -> bool:
    challenge = given.get("code_challenge", "")
    return given.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(challenge) is not None
