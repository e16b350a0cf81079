"""The stage of the tests of people and applications: people of every kind, each signed in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from running_door import RunningDoor, plain_context
from signing_in import Account, Client, add_application, add_person, opened, sign_in


@dataclass
class PeopleStage:
    """A door with an application people sign in through, and people of every kind with their tokens."""

    door: RunningDoor
    app: Client
    accounts: dict[str, Account]
    tokens: dict[str, str]

    def client(self, login: str | None) -> httpx.Client:
        headers = {"accept-language": "en"}
        if login is not None:
            headers["authorization"] = f"Bearer {self.tokens[login]}"
        return httpx.Client(base_url=self.door.url, headers=headers, timeout=30, verify=plain_context())

    def call(self, login: str | None, method: str, path: str, body: object = None) -> httpx.Response:
        with self.client(login) as client:
            return client.request(method, path, json=body) if body is not None else client.request(method, path)

    def add(self, login: str, *roles: Any, organization: str | None = None, person_of: str | None = None) -> Account:
        with opened(self.door.database_url) as conn:
            account = add_person(conn, login, *roles, organization=organization, person_of=person_of)
        self.accounts[login] = account
        self.tokens[login] = sign_in(self.door.url, self.app, account)["access_token"]
        return account


def people_stage(door: RunningDoor) -> PeopleStage:
    """root and root2 administer; root-again is another account of root's person."""
    with opened(door.database_url) as conn:
        root = add_person(conn, "root")
        app = add_application(conn, "root", public=True)
    made = PeopleStage(door, app, {"root": root}, {})
    made.tokens["root"] = sign_in(door.url, app, root)["access_token"]
    made.add("root2", "administrator")
    made.add("audit", "auditor")
    made.add("dev", "developer")
    made.add("other-dev", "developer")
    made.add("stella", "steward", organization="gong-an")
    made.add("org-dev", "developer", organization="gong-an")
    made.add("foreign", "steward", organization="min-zheng")
    made.add("plain", organization="gong-an")
    made.add("root-again", person_of="root")
    return made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def seconds_until(holds: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < 3
        time.sleep(0.01)
    return time.monotonic() - started
