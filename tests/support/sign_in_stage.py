"""The stage of the sign-in tests: a door with people and applications, and the steps of a sign-in one at a time."""

import base64
import hashlib
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from running_door import RunningDoor, plain_context
from signing_in import REDIRECT, Account, Client, add_application, add_person, browse, opened, query_of

VERIFIER = "v" * 43
NOTHING: Mapping[str, str] = {}
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class SignInStage:
    """A door with people and applications."""

    door: RunningDoor
    ann: Account
    app: Client
    other: Client
    public: Client
    http: httpx.Client

    @property
    def oidc(self) -> str:
        return f"{self.door.url}/v1/oidc"

    def authorize(self, **changes: str | None) -> str:
        members: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.app.id,
            "redirect_uri": REDIRECT,
            "scope": "openid profile act",
            "state": "s1",
            "nonce": "n1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        given = {name: value for name, value in (members | changes).items() if value is not None}
        return f"{self.oidc}/authorize?{urlencode(given)}"

    def code(self, **changes: str | None) -> str:
        return query_of(browse(self.authorize(**changes), self.ann.login, self.ann.password))["code"]

    def token(self, client: Client, **form: str) -> httpx.Response:
        if not client.key:
            return self.http.post(f"{self.oidc}/token", data=form | {"client_id": client.id})
        return self.http.post(f"{self.oidc}/token", data=form, auth=(client.id, client.key))

    def exchange(self, code: str, client: Client | None = None, changes: Mapping[str, str] = NOTHING) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return self.token(client or self.app, **{**form, **changes})

    def me(self, token: str) -> httpx.Response:
        return self.http.get(f"{self.door.url}/v1/me", headers={"authorization": f"Bearer {token}"})

    def userinfo(self, token: str) -> dict[str, str]:
        return self.http.get(f"{self.oidc}/userinfo", headers={"authorization": f"Bearer {token}"}).json()

    def is_refused_soon(self, token: str) -> bool:
        """Within a second."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if self.me(token).status_code == 401:
                return True
            time.sleep(0.02)
        return False


@contextmanager
def sign_in_stage(door: RunningDoor) -> Generator[SignInStage]:
    with opened(door.database_url) as conn:
        add_person(conn, "root")
        ann = add_person(conn, "ann", "developer", "steward", organization="gong-an")
        app = add_application(conn, "ann", organization="gong-an")
        other = add_application(conn, "ann")
        public = add_application(conn, "ann", public=True)
    with httpx.Client(timeout=30, verify=plain_context()) as http:
        yield SignInStage(door, ann, app, other, public, http)


def refusal(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
