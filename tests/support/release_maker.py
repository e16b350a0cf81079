"""The way out over a database of a test's own: datasets in force with records taken by the merge, and who asks."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import entry_maker
from grant_maker import elements
from psycopg import Connection, sql

from catalog.caller import Caller
from catalog.condition_json import condition_from_json
from catalog.decision import Asked
from catalog.entry_store import raise_level
from catalog.grant import Grant, Quota, Treatment
from catalog.grant_course import GivenGrant
from catalog.grant_store import GrantEvent, add_grant, save_course
from catalog.organization import Organization
from catalog.resource import FieldLevel
from catalog.store import add_organization, find_dataset
from hub.exchange.apply.locks import enter_horizon, lock_datasets
from hub.exchange.apply.merge import merge
from hub.exchange.apply.staging import clock, ensure_staging
from hub.exchange.apply.target import Target
from hub.exchange.registry_store import contract_of
from hub.ledger.writer import ThreadedLeafWriter
from hub.release.formats import FORMATS, Format
from hub.release.gate import Gate
from hub.release.page import Answer, Ask
from hub.release.plan import Planner
from hub.release.query import Wanted, wanted_from_address, wanted_from_body
from hub.release.quota import Quotas
from hub.release.refusals import Refusals
from hub.release.release import Release
from hub.release.settle import Settlement
from hub.release.teller import Teller
from hub.release.trail_store import insertion
from hub.store.connect import connect, pool
from schemas.batch import uuid7
from schemas.national.provider import SoftwareProvider

RESIDENT, PLACE = "420000.resident", "420000.place"
PURPOSE = "养老待遇资格核验"
DEPARTMENT = Caller("organization:ren-she", "ren-she", tier="department")
OTHER = Caller("organization:min-zheng", "min-zheng", tier="department")
OWNER = Caller("person:steward", "gong-an", frozenset({"steward"}), "department", "steward")
AUDITOR = Caller("person:auditor", "da-shu-ju", frozenset({"auditor"}), "department", "auditor")
MASKED: Mapping[str, Treatment] = {
    "id_number": "masked",
    "name": "clear",
    "birth_date": "clear",
    "division_code": "clear",
    "phone": "masked",
    "address": "generalised",
    "sex": "clear",
    "education": "clear",
}


class KeysInMemory:
    """Keys as the hub derives them, from a root of the test's own."""

    def __init__(self, root: bytes = b"r" * 32) -> None:
        self._root = root

    def derive(self, purpose: str, length_bytes: int = 32) -> bytes:
        return SoftwareProvider().derive(self._root, purpose, length_bytes)


@dataclass
class WayOut:
    """A release with all it is made of, as of a moment the test moves."""

    url: str
    conn: Connection
    release: Release
    planner: Planner
    quotas: Quotas
    refusals: Refusals
    teller: Teller
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def get(
        self,
        caller: Caller,
        dataset: str,
        query: str | Sequence[tuple[str, str]] = "",
        *,
        purpose: str | None = PURPOSE,
        grant: str | None = None,
        form: str = "json",
        **more: Any,
    ) -> Answer:
        """A page by GET: ``a=b&c=d``, or pairs."""
        pairs = [one.split("=", 1) for one in query.split("&") if one] if isinstance(query, str) else query
        parameters = tuple((name, value) for name, value in pairs)
        ask = self.ask(dataset, wanted_from_address(parameters), purpose, grant, form)
        return self.release.page(caller, replace(ask, path="/p", parameters=parameters, **more), self.now)

    def post(
        self, caller: Caller, dataset: str, body: object, *, purpose: str | None = PURPOSE, form: str = "json"
    ) -> Answer:
        """A page by POST."""
        return self.release.page(caller, self.ask(dataset, wanted_from_body(body), purpose, None, form), self.now)

    def record(
        self, caller: Caller, dataset: str, reference: str, *, purpose: str | None = PURPOSE, **wanted: Any
    ) -> Answer:
        """One record."""
        ask = self.ask(dataset, Wanted(**wanted), purpose, None, "json")
        return self.release.record(caller, replace(ask, single=True), reference, self.now)

    @staticmethod
    def ask(dataset: str, wanted: Wanted, purpose: str | None, grant: str | None, form: str) -> Ask:
        return Ask(dataset, Asked("api", purpose, grant), wanted, format=format_of(form))

    # What is there ---------------------------------------------------------------------------------------------------

    def take(self, dataset: str, rows: Sequence[Mapping[str, Any]], version: int = 1, *, delete: bool = False) -> None:
        """Records through the merge, in a transaction of its own."""
        take(self.conn, dataset, rows, version, delete=delete)

    def grant(
        self,
        fields: Mapping[str, Treatment] | None = None,
        *,
        holder: str = DEPARTMENT.id,
        dataset: str = RESIDENT,
        rows: object = None,
        quota: Quota | None = None,
        **members: Any,
    ) -> GivenGrant:
        """A grant in effect, written directly."""
        return give(self.conn, fields or MASKED, self.now, holder, dataset, rows, quota or Quota(), **members)

    def raise_level(self, dataset: str, field: str, level: FieldLevel) -> None:
        """Raise a field's level."""
        with self.conn.transaction():
            raise_level(self.conn, dataset, field, level, "test", "test", self.now)

    def end(self, given: GivenGrant) -> None:
        """End it."""
        ended = replace(given, grant=replace(given.grant, state="ended"), ended_at=self.now)
        with self.conn.transaction():
            save_course(self.conn, ended, GrantEvent("ended", "test", None, self.now, {}))

    def leaves(self, action: str = "release.") -> list[dict[str, Any]]:
        """Leaves of an action, in order."""
        rows = self.conn.execute("SELECT convert_from(bytes, 'UTF8')::json FROM ledger_leaf ORDER BY id").fetchall()
        return [row[0] for row in rows if row[0]["action"].startswith(action)]


def format_of(name: str) -> Format:
    return next(one for one in FORMATS if one.name == name)


@contextmanager
def way_out(url: str, *datasets: str) -> Generator[WayOut]:
    """The way out, with these datasets of the demo in force."""
    provider, quotas, refusals, clock_ = SoftwareProvider(), Quotas(), Refusals(), lambda: datetime.now(UTC)
    with (
        connect(url, "test", autocommit=True) as conn,
        pool(url, "hub release", size=4, autocommit=True) as connections,
        ThreadedLeafWriter(url, clock_, insertion) as writer,
    ):
        prepare(conn, *datasets)
        planner = Planner(KeysInMemory(), provider)
        settlement = Settlement(writer, quotas, refusals, planner.cursors)
        teller = Teller(lambda: connect(url, "hub teller", autocommit=True), writer, quotas, refusals, clock_)
        release = Release(connections, Gate(), planner, settlement)
        try:
            yield WayOut(url, conn, release, planner, quotas, refusals, teller)
        finally:
            teller.stop()


def prepare(conn: Connection, *datasets: str) -> None:
    """Organizations, contracts, datasets and entries in force."""
    names = [dataset.partition(".")[2] for dataset in datasets]
    with conn.transaction():
        entry_maker.register(conn, *names)
        for organization in ("ren-she", "da-shu-ju", "min-zheng"):
            if not conn.execute("SELECT 1 FROM organization WHERE id = %s", [organization]).fetchone():
                add_organization(conn, Organization(organization, organization, organization, "province", "420000"))
        for name in names:
            entry_maker.publish(conn, name, datetime.now(UTC))


def take(
    conn: Connection, dataset: str, rows: Sequence[Mapping[str, Any]], version: int = 1, *, delete: bool = False
) -> None:
    """Records through the merge, in a transaction of its own."""
    found = find_dataset(conn, dataset)
    assert found is not None
    target = Target(dataset, contract_of(conn, found))
    ensure_staging(conn, target)
    names = [name for name in target.columns if any(name in row for row in rows)]
    statement = sql.SQL("INSERT INTO {} ({}, _version, _row, _n) VALUES ({}, %s, 0, %s)").format(
        target.staging,
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    with conn.transaction():
        enter_horizon(conn)
        taken = clock(conn)
        with conn.cursor() as cursor:
            cursor.executemany(
                statement, [[*(row.get(name) for name in names), version, number] for number, row in enumerate(rows)]
            )
        lock_datasets(conn, [dataset], [])
        merge(conn, target, delete=delete, taken=taken, receipt=1)


def give(
    conn: Connection,
    fields: Mapping[str, Treatment],
    now: datetime,
    holder: str,
    dataset: str,
    rows: object,
    quota: Quota,
    **members: Any,
) -> GivenGrant:
    """A grant in effect, under an emergency, which needs no request."""
    found = find_dataset(conn, dataset)
    assert found is not None
    types = {one.name: one.type for one in contract_of(conn, found).fields}
    values: dict[str, Any] = {
        "id": uuid7(now),
        "kind": "emergency",
        "holder": holder,
        "dataset": dataset,
        "fields": fields,
        "laws": {},
        "rows": None if rows is None else condition_from_json(rows, types),
        "purpose": PURPOSE,
        "basis": elements().basis,
        "methods": frozenset({"api"}),
        "quota": quota,
        "valid_from": now - timedelta(days=1),
        "valid_until": now + timedelta(days=30),
        "state": "active",
        "request": None,
    }
    grant = Grant(**(values | members))
    given = GivenGrant(grant, "0" * 64, "test", None, now, review_by=now + timedelta(days=20))
    with conn.transaction():
        add_grant(conn, given, GrantEvent("given", "test", None, now, {}))
    return given


def residents(count: int, division: str = "420102") -> list[dict[str, Any]]:
    """Synthetic people; their numbers are made up and ordered."""
    return [
        {
            "id_number": f"{division}19{60 + number % 40:02d}0101{number:03d}X",
            "name": f"张{chr(0x4E00 + number)}",
            "sex": "12"[number % 2],
            "birth_date": date(1960 + number % 40, 1, 1),
            "division_code": division,
            "address": "湖北省武汉市江岸区某路1号",
            "phone": f"1380013{number:04d}",
            "education": None if number % 3 == 0 else "20",
            "synthetic": True,
            "updated_at": datetime(2026, 1, 1, 8),  # noqa: DTZ001 - local by contract
        }
        for number in range(count)
    ]


def places(count: int) -> list[dict[str, Any]]:
    """Points on a line to the east."""
    return [
        {
            "name": f"地名/{number:03d}" if number % 5 == 0 else f"place-{number:03d}",
            "division_code": "420102",
            "geometry": f"SRID=4490;POINT({110 + number / 100} 30.5)",
        }
        for number in range(count)
    ]
