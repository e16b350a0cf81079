"""A door with the resident dataset published, and people of four organizations signed in."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grant_maker
import httpx
from running_door import RunningDoor, plain_context, running
from signing_in import Account, Client, add_application, add_person, opened, sign_in

from catalog.caller import Role
from hub.identity.organization_tokens import issue

ABSENT = "01999999-0000-7000-8000-000000000000"
UNTIL = (datetime.now(UTC) + timedelta(days=60)).replace(microsecond=0).isoformat()
ASKED: dict[str, Any] = {
    "dataset": "420000.resident",
    "basis": "社会保险法第五十八条",
    "scenario": "养老待遇资格核验",
    "fields": {"name": "masked", "division_code": "clear"},
    "rows": {"field": "division_code", "prefix": "4201"},
    "methods": ["api"],
    "valid_from": "2026-01-01T00:00:00+08:00",
    "valid_until": UNTIL,
    "consent": "鄂人社数〔2026〕12号",
}
PEOPLE: dict[str, tuple[str, tuple[Role, ...]]] = {
    "root2": ("da-shu-ju", ("administrator",)),
    "rev": ("da-shu-ju", ("reviewer",)),
    "aud": ("da-shu-ju", ("auditor",)),
    "prov": ("gong-an", ("steward",)),
    "ask": ("ren-she", ()),
    "other": ("min-zheng", ("steward",)),
}


@dataclass
class Stage:
    """A door with the resident dataset published, and people of four organizations signed in."""

    door: RunningDoor
    application: Client
    accounts: dict[str, Account]
    organization_tokens: dict[str, str]
    client: httpx.Client
    tokens: dict[str, str] = field(default_factory=dict)

    def __call__(self, who: str, method: str, path: str, **members: Any) -> httpx.Response:
        """One request, with a JSON body of these members where there are any."""
        if who not in self.tokens:
            known = self.organization_tokens.get(who)
            self.tokens[who] = known or sign_in(self.door.url, self.application, self.accounts[who])["access_token"]
        headers = {"authorization": f"Bearer {self.tokens[who]}", "accept-language": "en"}
        return self.client.request(method, path, headers=headers, json=members or None)

    def asked(self, who: str = "ask", **changes: Any) -> str:
        answer = self(who, "POST", "/v1/requests", **(ASKED | changes))
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v1/requests/{answer.json()['id']}"
        return answer.json()["id"]

    def given(self) -> str:
        request = self.asked()
        accepted = self("prov", "POST", f"/v1/requests/{request}/acceptance", consent="同意")
        assert accepted.status_code == 200, accepted.text
        proposal = self("prov", "POST", "/v1/grants/proposals", request=request)
        assert proposal.status_code == 201, proposal.text
        made = proposal.json()
        given = self("rev", "POST", f"/v1/grants/proposals/{made['id']}/approval", digest=made["digest"])
        assert given.status_code == 200, given.text
        return given.json()["id"]


@contextmanager
def authorization_stage(database_url: str) -> Generator[Stage]:
    with running(database_url) as door:
        with opened(database_url) as conn:
            grant_maker.published(conn)
            accounts = {"root": add_person(conn, "root")}
            for login, (organization, roles) in PEOPLE.items():
                accounts[login] = add_person(conn, login, *roles, organization=organization)
            application = add_application(conn, "root2")
            tokens = {name: issue(conn, name, datetime.now(UTC)).token for name in ("ren-she", "min-zheng")}
        with httpx.Client(base_url=door.url, timeout=60, verify=plain_context()) as client:
            yield Stage(door, application, accounts, tokens, client)
