"""Signing in as a person does, at whichever issuer the hub trusts: authorization code with PKCE, forms filled in.

The demo knows an issuer by its discovery document alone, and its pages by the names their fields have: ``login`` on the
built-in issuer's, ``username`` on Keycloak's, which asks for the password on a page of its own once there are
organizations, and for another one at the first sign-in.
"""

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from seeds.demo_errors import AnswerUnexpected

DISCOVERY: Final = "/.well-known/openid-configuration"
SCOPE: Final = "openid act"
TIMEOUT_SECONDS: Final = 60.0
PAGES_MAX: Final = 8
_HIDDEN: Final = re.compile(r'<input type="hidden" (?:id="[^"]*" )?name="([^"]*)" value="([^"]*)"')
_FORM: Final = re.compile(r'<form [^>]*action="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person fills in.

    Args:
        login: at the issuer.
        password: that she was told or chose.
        chosen: what she chooses where the issuer wants another one.
    """

    login: str
    password: str
    chosen: str

    def for_page(self, page: str) -> dict[str, str]:
        """The fields that stand on this page, filled in."""
        known = {
            "login": self.login,
            "username": self.login,
            "password": self.password,
            "password-new": self.chosen,
            "password-confirm": self.chosen,
        }
        filled = {name: value for name, value in known.items() if f'name="{name}"' in page}
        return filled | ({"answer": "allow"} if 'value="allow"' in page else {})


class Issuer:
    """An OpenID issuer, and the public client by which the demo's people sign in."""

    def __init__(self, address: str, client: str, redirect: str) -> None:
        self._client = client
        self._redirect = redirect
        with _http() as http:
            self._document: Mapping[str, str] = _read(http, "GET", address + DISCOVERY).json()

    def sign_in(self, answers: Answers) -> str:
        """An access token.

        Raises:
            AnswerUnexpected: a page or an answer is not what such a sign-in leads to.
        """
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": self._redirect,
            "scope": SCOPE,
            "state": secrets.token_urlsafe(8),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        with _http() as http:
            code = self._code(http, f"{self._document['authorization_endpoint']}?{urlencode(asked)}", answers)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect,
                "client_id": self._client,
                "code_verifier": verifier,
            }
            return str(_read(http, "POST", self._document["token_endpoint"], data=form).json()["access_token"])

    def _code(self, http: httpx.Client, address: str, answers: Answers) -> str:
        """From page to page until one leads back to the application; the code is read from its address, unopened."""
        page = http.get(address)
        for _ in range(PAGES_MAX):
            if page.is_redirect and page.headers["location"].startswith(self._redirect):
                given = parse_qs(urlsplit(page.headers["location"]).query)
                if "code" in given:
                    return given["code"][0]
                break
            # As a browser does: on the machine itself cookies are safe without TLS, which this client does not know.
            cookies = {"cookie": "; ".join(f"{one.name}={one.value}" for one in http.cookies.jar)}
            form = _FORM.search(page.text)
            if page.is_redirect:
                page = http.get(page.url.join(page.headers["location"]), headers=cookies)
            elif form is not None:
                fields = {html.unescape(name): html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
                action = page.url.join(html.unescape(form[1]))
                page = http.post(action, data=fields | answers.for_page(page.text), headers=cookies)
            else:
                break
        raise AnswerUnexpected("GET", "the sign-in page", page.status_code, re.sub(r"<[^>]+>|\s+", " ", page.text))


def _http() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)


def _read(http: httpx.Client, method: str, address: str, data: Mapping[str, str] | None = None) -> httpx.Response:
    answer = http.request(method, address, data=data)
    if not answer.is_success:
        raise AnswerUnexpected(method, urlsplit(address).path, answer.status_code, answer.text)
    return answer
