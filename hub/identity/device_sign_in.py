"""A person signs in at the issuer from a command line: device authorization (RFC 8628), with PKCE (RFC 7636).

The command has no browser and wants none: it shows an address and a code, the person opens the one and compares the
other wherever she likes, and the command asks for the token until she has answered.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from hub.identity.discovery import endpoints, issuer_client, read_object
from hub.identity.errors import DeviceSignInAbsent, DeviceSignInFailed, IssuerUnreachable
from hub.identity.pkce import challenge_of

SCOPE: Final = "openid act"
GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_SECONDS: Final = 5  # RFC 8628 §3.2: where the issuer names none; §3.5: added each time it asks to slow down
LIFETIME_SECONDS_MAX: Final = 1800
_CLIENT_ERRORS: Final = 400, 401, 403


@dataclass(frozen=True, slots=True)
class Shown:
    """What the person is shown.

    Args:
        address: to be opened.
        code: to be compared there, or typed in.
        complete: the address with the code in it, where the issuer offers one.
    """

    address: str
    code: str
    complete: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The access token, and for how many seconds it counts."""

    token: str
    expires_in: int


class DeviceSignIn:
    """One sign-in of a person.

    Args:
        issuer: the address its tokens name.
        client: the command line's client there.
        transport: another way to it, for tests.
        sleep: waits some seconds.
        ticks: monotonic seconds.
    """

    def __init__(
        self,
        issuer: str,
        client: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._http = issuer_client(transport)
        self._sleep = sleep
        self._ticks = ticks

    def sign_in(self, show: Callable[[Shown], None]) -> SignedIn:
        """Show the person where to go, and wait for her.

        Raises:
            IssuerUnreachable: the issuer cannot be reached.
            DeviceSignInAbsent: it offers no such sign-in.
            DeviceSignInFailed: it refuses the client, or the person refused or did not answer in time.
        """
        with self._http:
            known = endpoints(self._http, self._issuer)
            if "device_authorization_endpoint" not in known or "token_endpoint" not in known:
                raise DeviceSignInAbsent(issuer=self._issuer)
            verifier = secrets.token_urlsafe(48)
            asked = {"scope": SCOPE, "code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
            begun, given = self._post(known["device_authorization_endpoint"], asked)
            if not begun:
                raise _failed(given)
            show(_shown(given))
            return self._wait(known["token_endpoint"], given, verifier)

    def _wait(self, address: str, given: Mapping[str, Any], verifier: str) -> SignedIn:
        form = {"grant_type": GRANT, "device_code": str(given.get("device_code")), "code_verifier": verifier}
        interval = _seconds(given.get("interval"), INTERVAL_SECONDS)
        lifetime = min(_seconds(given.get("expires_in"), LIFETIME_SECONDS_MAX), LIFETIME_SECONDS_MAX)
        deadline = self._ticks() + lifetime
        while self._ticks() < deadline:
            self._sleep(interval)
            done, answer = self._post(address, form)
            if done and isinstance(answer.get("access_token"), str):
                return SignedIn(answer["access_token"], _seconds(answer.get("expires_in"), 0))
            if answer.get("error") == "slow_down":
                interval += INTERVAL_SECONDS
            elif answer.get("error") != "authorization_pending":
                raise _failed(answer)
        raise DeviceSignInFailed(problem="expired_token")

    def _post(self, address: str, form: Mapping[str, str]) -> tuple[bool, Mapping[str, Any]]:
        """Whether it was granted, and the answer; an outage is told as such, not taken for a refusal."""
        try:
            with self._http.stream("POST", address, data={**form, "client_id": self._client}) as answer:
                if not answer.is_success and answer.status_code not in _CLIENT_ERRORS:
                    raise IssuerUnreachable
                return answer.is_success, read_object(answer)
        except httpx.HTTPError:
            raise IssuerUnreachable from None


def _shown(given: Mapping[str, Any]) -> Shown:
    address, code, complete = (
        given.get(f"{name}") for name in ("verification_uri", "user_code", "verification_uri_complete")
    )
    if not isinstance(address, str) or not isinstance(code, str):
        raise IssuerUnreachable
    return Shown(address, code, complete if isinstance(complete, str) else None)


def _seconds(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise


def _failed(answer: Mapping[str, Any]) -> DeviceSignInFailed:
    """By the error's name alone: what else an issuer writes may repeat what was sent."""
    error = answer.get("error")
    return DeviceSignInFailed(problem=error if isinstance(error, str) and error.isidentifier() else "invalid_answer")
