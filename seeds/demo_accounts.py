"""Who acts in the demo: people who sign in as people do, and what they are remembered by between runs.

The first administrator is made on the command line, everyone else by the administrator over HTTP. Each signs in through
the built-in issuer: authorization code with PKCE, the page's own form filled in.
"""

import base64
import hashlib
import html
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from seeds.demo_errors import AnswerUnexpected
from seeds.demo_processes import program, run
from seeds.roster import ORGANIZATIONS

REDIRECT = "http://127.0.0.1:9/back"  # nobody listens there: the code is read from the address
SCOPE = "openid profile act read"
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the demo."""

    login: str
    name: str
    roles: tuple[str, ...]
    organization: str | None = None


ADMINISTRATOR = Person("li-guanli", "李管理(演示)", ("administrator",))
REVIEWER = Person("wang-shencha", "王审查(演示)", ("reviewer",))
AUDITOR = Person("zhao-shenji", "赵审计(演示)", ("auditor",))
DEVELOPER = Person("chen-kaifa", "陈开发(演示)", ("developer",))
STEWARDS: Mapping[str, Person] = {
    one.id: Person(f"steward-{one.id}", f"{one.name_zh}数据管理员", ("steward",), one.id) for one in ORGANIZATIONS
}
PEOPLE = (REVIEWER, AUDITOR, DEVELOPER, *STEWARDS.values())


class Memory:
    """What the demo must know again in its next run: passwords, keys and ids, in a file of its owner's alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def get(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON was put
        """What is remembered under a name; None where nothing is."""
        return self._known.get(name)

    def put(self, name: str, value: object) -> None:
        """Remember, at once and whole."""
        self._known[name] = value
        unfinished = self._file.with_name(f".unfinished-{self._file.name}")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(self._known, opened, ensure_ascii=False)
        unfinished.rename(self._file)


class Session:
    """The hub's API as one caller has it: every answer is looked at, none is taken for granted."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        headers = {"accept-language": "zh"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)

    def ask(self, method: str, path: str, *, expect: int | tuple[int, ...] = 200, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """One request.

        Raises:
            AnswerUnexpected: the status is another than expected.
        """
        answer = self._client.request(method, path, **given)
        if answer.status_code not in ((expect,) if isinstance(expect, int) else expect):
            raise AnswerUnexpected(method, path, answer.status_code, answer.text)
        return answer

    def get(self, path: str, **given: Any) -> Any:  # noqa: ANN401 - decoded JSON
        """GET, 200, JSON."""
        return self.ask("GET", path, **given).json()

    def post(self, path: str, body: object, *, expect: int | tuple[int, ...] = 200) -> Any:  # noqa: ANN401 - decoded JSON
        """POST of JSON; the answer's JSON, or None without one."""
        answer = self.ask("POST", path, expect=expect, json=body)
        return answer.json() if answer.content else None


class Accounts:
    """Everyone's account, password and session."""

    def __init__(
        self, base_url: str, memory: Memory, environment: Mapping[str, str], people: Sequence[Person] = PEOPLE
    ) -> None:
        self._base_url = base_url
        self._people = people
        self._memory = memory
        self._environment = environment
        self._sessions: dict[str, Session] = {}

    def prepare(self) -> None:
        """Make the accounts that are missing."""
        if self._password(ADMINISTRATOR) is None:
            command = ["person", "add", ADMINISTRATOR.login, "--name", ADMINISTRATOR.name, "--role", "administrator"]
            made = json.loads(run([program("hub"), *command, "--json"], self._environment))
            self._memory.put(f"password:{ADMINISTRATOR.login}", made["password"])
        if self._memory.get("client") is None:
            # The administrator's first sign-in needs an application to sign in to: made on the command line too.
            command = ["application", "add", "demo", "--as", ADMINISTRATOR.login, "--public-client"]
            made = json.loads(run([program("hub"), *command, "--redirect-uri", REDIRECT, "--json"], self._environment))
            self._memory.put("client", made["id"])
        for person in self._people:
            if self._password(person) is None:
                self._add(person)

    def session(self, person: Person) -> Session:
        """Signed in as this person; once a run."""
        if person.login not in self._sessions:
            self._sessions[person.login] = Session(self._base_url, self._sign_in(person))
        return self._sessions[person.login]

    def id_of(self, person: Person) -> str:
        """The account's id."""
        return str(self._memory.get(f"id:{person.login}"))

    def _password(self, person: Person) -> str | None:
        return self._memory.get(f"password:{person.login}")

    def _add(self, person: Person) -> None:
        body = {"login": person.login, "display_name": person.name, "roles": list(person.roles)}
        body |= {} if person.organization is None else {"organization": person.organization}
        made = self.session(ADMINISTRATOR).post("/v1/people", body, expect=201)
        self._memory.put(f"id:{person.login}", made["person"]["id"])
        self._memory.put(f"password:{person.login}", made["password"])

    def _sign_in(self, person: Person) -> str:
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._memory.get("client"),
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": secrets.token_urlsafe(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        browser = Session(self._base_url)
        page = browser.ask("GET", f"/v1/oidc/authorize?{urlencode(asked)}")
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
        form = {html.unescape(name): html.unescape(value) for name, value in hidden}
        form |= {"login": person.login, "password": str(self._password(person)), "answer": "allow"}
        back = browser.ask("POST", "/v1/oidc/authorize", expect=303, data=form)
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        redeemed = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "client_id": str(asked["client_id"]),
            "code_verifier": verifier,
        }
        return str(browser.ask("POST", "/v1/oidc/token", data=redeemed).json()["access_token"])
