"""Requests and grants for tests: the people of both sides, a complete request, and a grant in effect."""

from datetime import UTC, datetime
from typing import Any

import entry_maker
from entry_maker import person
from psycopg import Connection

from catalog.caller import Caller
from catalog.grant_course import GivenGrant
from catalog.organization import Organization
from catalog.request import Elements, Request
from catalog.store import add_organization
from hub.acts import grants, requests
from hub.acts.grants import Wanted

NOW = entry_maker.NOW
RESIDENT = "420000.resident"
ASKER = person("asker", organization="ren-she")
COLLEAGUE = person("colleague", organization="ren-she")
STEWARD = person("provider", "steward", organization="gong-an")
REVIEWER = person("reviewer", "reviewer", organization="da-shu-ju")
ADMINISTRATOR = person("administrator", "administrator", organization="da-shu-ju")
SECOND = person("second", "administrator", organization="da-shu-ju")
AUDITOR = person("auditor", "auditor", organization="da-shu-ju")
STRANGER = person("stranger", "steward", organization="min-zheng")
DEVELOPER = Caller("person:developer", None, frozenset({"developer"}), "approved", "developer")


def elements(**changes: Any) -> Elements:
    """A complete request of ren-she for residents of Wuhan, but for what is to be otherwise."""
    members: dict[str, Any] = {
        "basis": "社会保险法第五十八条",
        "scenario": "养老待遇资格核验",
        "fields": {"id_number": "pseudonymous", "name": "clear", "birth_date": "generalised", "division_code": "clear"},
        "rows": {"field": "division_code", "prefix": "4201"},
        "methods": frozenset({"api", "file"}),
        "valid_from": datetime(2026, 11, 1, tzinfo=UTC),
        "valid_until": datetime(2027, 11, 1, tzinfo=UTC),
        "consent": "鄂人社数〔2026〕12号",
    }
    return Elements(**(members | changes))


def published(conn: Connection) -> Connection:
    """The resident dataset with its entry in force, and both sides' organizations."""
    entry_maker.register(conn, "resident")
    entry_maker.publish(conn, "resident")
    for name in ("ren-she", "min-zheng", "da-shu-ju"):
        add_organization(conn, Organization(name, f"{name}厅", f"Department {name}", "province", "420000"))
    return conn


def asked(conn: Connection, now: datetime = NOW, **changes: Any) -> Request:
    """A request that was submitted."""
    return requests.submit(conn, ASKER, RESIDENT, elements(**changes), now)


def accepted(conn: Connection, now: datetime = NOW, **changes: Any) -> Request:
    """One that the provider agreed to."""
    return requests.accept(conn, STEWARD, asked(conn, now, **changes).id, "鄂公数〔2026〕3号", now)


def given(conn: Connection, now: datetime = NOW, wanted: Wanted | None = None, **changes: Any) -> GivenGrant:
    """A grant in effect: proposed by the steward, approved by the reviewer."""
    request = accepted(conn, now, **changes)
    proposal = grants.propose(conn, STEWARD, request.id, wanted or Wanted(), now)
    return grants.approve(conn, REVIEWER, proposal.id, proposal.digest, now)
