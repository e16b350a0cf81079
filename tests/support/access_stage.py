"""A door with one object of every kind, and a caller of every kind, for tests of who may do what."""

import json
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx
from entry_maker import contracts, office, publish, register
from ledger_maker import KeySigner, opened_sealer
from psycopg import sql
from release_maker import MASKED, PLACE, PURPOSE, RESIDENT, give, places, prepare, residents, take
from resident_maker import definition, put, resident
from running_door import RunningDoor, plain_context, running
from signing_in import Account, add_application, add_person, opened, sign_in

from catalog.caller import Role
from catalog.grant import Quota
from catalog.tier import DEFAULT_TIERS
from catalog.tier_text import text_of_tiers
from hub.acts import aggregates
from hub.exchange.registry_store import register_contract, register_dataset
from hub.identity.organization_tokens import issue
from hub.main import ready_topic
from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect

# The owner of the dataset is gong-an, the holder of the grant ren-she, a stranger to both min-zheng.
PEOPLE: Final[Mapping[str, tuple[str | None, tuple[Role, ...]]]] = {
    "second administrator": ("da-shu-ju", ("administrator",)),
    "administrator": ("da-shu-ju", ("administrator",)),
    "reviewer": ("da-shu-ju", ("reviewer",)),
    "auditor": ("da-shu-ju", ("auditor",)),
    "operator": ("da-shu-ju", ("operator",)),
    "steward": ("gong-an", ("steward",)),
    "steward of another": ("min-zheng", ("steward",)),
    "person of the holder": ("ren-she", ()),
    "developer": (None, ("developer",)),
    "other developer": (None, ("developer",)),
    "target": ("gong-an", ()),
}
ORGANIZATIONS: Final = {"owner": "gong-an", "holder": "ren-she", "another": "min-zheng"}
ACTED_ON: Final = "420000.marriage"  # the owner's other dataset, whose entry may be withdrawn
HIDDEN: Final = "420000.tax_registration"  # its entry is not in force
WANTED: Final = {"dataset": RESIDENT, "kind": "pull", "purpose": PURPOSE}
_TODAY: Final = datetime.now(UTC)
ASKED: Final[Mapping[str, Any]] = {
    "dataset": RESIDENT,
    "basis": "社会保险法第五十八条",
    "scenario": PURPOSE,
    "fields": {"name": "masked", "division_code": "clear"},
    "methods": ["api"],
    "valid_from": _TODAY.isoformat(),
    "valid_until": (_TODAY + timedelta(days=180)).isoformat(),
    "consent": "鄂人社数〔2026〕12号",
}


@dataclass
class AccessStage:
    """The door, the tokens by kind of caller, and the objects by the name their addresses have for them."""

    door: RunningDoor
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    sign_in_application: str = ""

    def __call__(self, who: str | None, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """One request of a caller, with a body of JSON where there is one."""
        if who is not None:
            headers["authorization"] = f"Bearer {self.tokens[who]}"
        return self.http.request(
            method, path, json=body, headers={"hub-purpose": quote(PURPOSE), "accept-language": "en", **headers}
        )

    def made(self, who: str, path: str, body: object = None, status: int = 201) -> dict[str, Any]:
        """What a POST that succeeds answers."""
        answer = self(who, "POST", path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def spared(self, who: str) -> tuple[str, ...]:
        """Ids of what a caller's token stands on: its own account, and the application it signed in through."""
        return (self.sign_in_application, *(account.id for name, account in self.accounts.items() if name == who))

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.door.url, timeout=60, verify=plain_context())


@contextmanager
def access_stage(cluster: Cluster, template: str, name: str) -> Generator[AccessStage]:
    """The stage on a database of its own, made of a migrated one; everything is as it is after a while of use."""
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(*(sql.Identifier(one) for one in (name, ROLE, template))))
        with running(cluster.url(name)) as door:
            stage = AccessStage(door)
            _populate(stage)
            with closing(stage.http):
                yield stage
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _populate(stage: AccessStage) -> None:
    now = datetime.now(UTC)
    with opened(stage.door.database_url) as conn:
        conn.autocommit = True
        prepare(conn, RESIDENT, PLACE)
        register(conn, "tax_registration")
        register_contract(conn, contracts()["marriage"].source)
        register_dataset(conn, ACTED_ON, "marriage", "gong-an")
        publish(conn, "marriage", owner="gong-an")
        put(conn, [resident(number) for number in range(3_000)])
        take(conn, RESIDENT, residents(30))
        take(conn, PLACE, places(30))
        methods = frozenset({"api", "file", "subscription"})
        give(conn, MASKED, now, "organization:ren-she", RESIDENT, None, Quota(requests=100_000), methods=methods)
        with conn.transaction():
            who = office()
            aggregates.define(conn, who.steward, definition(), now)
            made = aggregates.compute(conn, who.steward, RESIDENT, "age_and_sex", now)
            aggregates.review(conn, who.reviewer, made.id, made.certificate, now)
            aggregates.publish(conn, who.steward, made.id, made.certificate, now)
            stage.accounts["root"] = add_person(conn, "root")
            for name, (organization, roles) in PEOPLE.items():
                login = name.replace(" ", "-")
                stage.accounts[name] = add_person(conn, login, *roles, organization=organization)
            app = add_application(conn, "root", public=True)
            own, acted_on = (add_application(conn, "developer") for _ in range(2))
            for name, organization in ORGANIZATIONS.items():
                stage.tokens[name] = issue(conn, organization, now).token
    stage.sign_in_application = app.id
    stage.tokens["application"] = own.key
    stage.objects |= {"application": acted_on.id, "key": acted_on.key_id, "person": stage.accounts["target"].id}
    stage.objects |= {"dataset": RESIDENT, "name": "resident", "aggregate": "age_and_sex", "purpose": PURPOSE}
    stage.objects |= {"version": "1", "first": "1", "second": "1", "code": "not_found"}
    ready_topic(stage.door.settings, f"exchange.{RESIDENT}", lambda _: None)
    for name, account in stage.accounts.items():
        stage.tokens[name] = sign_in(stage.door.url, app, account)["access_token"]
    _use(stage)


def _use(stage: AccessStage) -> None:
    """What stays behind of requests, grants, releases and batches."""
    made = stage.made
    granted = made("person of the holder", "/v1/requests", ASKED)["id"]
    made("steward", f"/v1/requests/{granted}/acceptance", {"consent": "同意"}, 200)
    proposed = made("steward", "/v1/grants/proposals", {"request": granted})
    approval = f"/v1/grants/proposals/{proposed['id']}/approval"
    stage.objects["grant"] = made("reviewer", approval, {"digest": proposed["digest"]}, 200)["id"]
    stage.objects["request"] = made("person of the holder", "/v1/requests", ASKED)["id"]
    stage.objects["proposal"] = made("steward", "/v1/grants/proposals", {"request": granted})["id"]
    rules = json.loads(text_of_tiers(DEFAULT_TIERS))
    made("second administrator", "/v1/tiers", {"rules": rules, "reason": "重申"})
    stage.objects["subscription"] = made("holder", "/v1/subscriptions", WANTED)["id"]
    page = stage("holder", "GET", f"/v1/datasets/{RESIDENT}/records?limit=1")
    stage.objects |= {"decision": page.headers["hub-decision"], "leaf": page.headers["hub-decision"]}
    stage.objects["reference"] = page.json()["records"][0]["_ref"]
    exported = stage("holder", "GET", f"/v1/datasets/{RESIDENT}/export?format=csv")
    stage.objects["export"] = exported.headers["hub-export"]
    rows = [{"id_number": "not a number"}]
    with stage.door.worker():
        taken = stage("owner", "POST", f"/v1/exchange/{RESIDENT}/batches", rows, prefer="wait=10")
    stage.objects["batch"] = taken.json()["batch"]
    with opened_sealer(stage.door.database_url, KeySigner()) as sealer:
        sealer.turn()
    stage.objects["size"] = stage(None, "GET", "/v1/ledger/checkpoint").text.splitlines()[1]
