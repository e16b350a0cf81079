"""Who acts in the demo: people who sign in as people do, and what they are remembered by between runs.

The first administrator is made on the command line, everyone else by the administrator over HTTP. Each signs in at the
issuer the hub trusts: its built-in one, or the realm of Keycloak that ``HUB_OIDC_ISSUER`` names, made there as well.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from seeds.demo_errors import AnswerUnexpected
from seeds.demo_processes import program, run
from seeds.demo_sign_in import Answers, Issuer
from seeds.roster import ORGANIZATIONS

REDIRECT = "http://127.0.0.1:8420/back"  # the realm lets its portal's client go back to this host alone
BUILT_IN, REALM_CLIENT = "/v1/oidc", "hub-portal"
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
        self._realm = environment.get("HUB_OIDC_ISSUER")
        self._issuer: Issuer | None = None

    def prepare(self) -> None:
        """Make the accounts that are missing."""
        if self._password(ADMINISTRATOR) is None:
            self._add_administrator()
        if self._memory.get("client") is None:
            self._memory.put("client", self._added_client())
        if self._realm is not None and self._memory.get("organizations") is None:
            organizations = sorted({one.organization for one in self._people if one.organization is not None})
            self._hub("keycloak", "organization", "add", *organizations, "--as", ADMINISTRATOR.login)
            self._memory.put("organizations", organizations)
        for person in self._people:
            if self._memory.get(f"id:{person.login}") is None:
                self._add(person)
        missing = [person.login for person in self._people if self._password(person) is None]
        if missing:
            self._add_to_realm(*missing, acting=["--as", ADMINISTRATOR.login])

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

    def _add_administrator(self) -> None:
        given = ["person", "add", ADMINISTRATOR.login, "--name", ADMINISTRATOR.name, "--role", "administrator"]
        if self._realm is None:
            made = json.loads(self._hub(*given, "--json"))
            self._memory.put(f"password:{ADMINISTRATOR.login}", made["password"])
            return
        if self._memory.get("administrator") is None:
            self._hub(*given, "--no-password")
            self._memory.put("administrator", ADMINISTRATOR.login)
        self._add_to_realm(ADMINISTRATOR.login, acting=[])

    def _added_client(self) -> str:
        """What people sign in to; made on the command line, as nobody has signed in yet. In the realm it is there."""
        acting = ["--as", ADMINISTRATOR.login]
        given = ["application", "add", "demo", *acting, "--public-client", "--redirect-uri", REDIRECT]
        made = str(json.loads(self._hub(*given, "--json"))["id"])
        if self._realm is None:
            return made
        self._hub("application", "link", made, "--issuer", self._realm, "--client", REALM_CLIENT, *acting)
        return REALM_CLIENT

    def _add(self, person: Person) -> None:
        body = {"login": person.login, "display_name": person.name, "roles": list(person.roles)}
        body |= {} if person.organization is None else {"organization": person.organization}
        body |= {"signs_in": self._realm is None}
        made = self.session(ADMINISTRATOR).post("/v1/people", body, expect=201)
        if made["password"] is not None:
            self._memory.put(f"password:{person.login}", made["password"])
        self._memory.put(f"id:{person.login}", made["person"]["id"])

    def _add_to_realm(self, *logins: str, acting: Sequence[str]) -> None:
        for line in self._hub("keycloak", "person", "add", *logins, *acting, "--json").splitlines():
            made = json.loads(line)
            self._memory.put(f"password:{made['login']}", made["password"])

    def _hub(self, *arguments: str) -> str:
        return run([program("hub"), *arguments], self._environment)

    def _sign_in(self, person: Person) -> str:
        if self._issuer is None:
            address = self._realm or f"{self._base_url}{BUILT_IN}"
            self._issuer = Issuer(address, str(self._memory.get("client")), REDIRECT)
        told = str(self._password(person))
        if self._realm is None:
            return self._issuer.sign_in(Answers(person.login, told, ""))
        chosen = self._memory.get(f"chosen:{person.login}")
        if chosen is None:  # remembered before it is chosen: a run cut short in between signs in with either
            chosen = secrets.token_urlsafe(15)
            self._memory.put(f"chosen:{person.login}", chosen)
            return self._issuer.sign_in(Answers(person.login, told, chosen))
        try:
            return self._issuer.sign_in(Answers(person.login, chosen, ""))
        except AnswerUnexpected:
            return self._issuer.sign_in(Answers(person.login, told, chosen))
