"""Parts of the way-out benchmark that are no load of wrk's alone: decisions by themselves, revocation under load."""

import statistics
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from peers import Table
from points import LEFT_OUT
from psycopg import Connection

from catalog.caller import Caller
from catalog.decision import Asked
from hub.release.gate import Gate
from hub.release.page import Ask
from hub.release.plan import Planner
from hub.release.query import Wanted
from schemas.national.provider import SoftwareProvider
from seeds.demo_accounts import ADMINISTRATOR, Accounts, Session

GRANTS, DECISIONS, REVOCATIONS = 100_000, 3_000, 200
REVOKED_SECONDS_MAX = 10.0
FORBIDDEN = 403


class OneKey:
    """Keys of no worth: what is measured is how long it takes."""

    def derive(self, purpose: str, length_bytes: int = 32) -> bytes:
        """As many bytes as asked for."""
        return purpose.encode().ljust(length_bytes, b"k")[:length_bytes]


def p99(milliseconds: list[float]) -> float:
    """The 99th percentile."""
    return round(sorted(milliseconds)[int(len(milliseconds) * 0.99)], 3)


def decisions(conn: Connection, organization: str, dataset: str, purpose: str) -> dict[str, float]:
    """From a verified caller to compiled SQL, grants read from a store that holds 100,000; nothing is remembered.

    Beside each decision the store is asked for nothing (``SELECT 1``): that much of the time is the machine's.
    """
    conn.execute(
        "INSERT INTO access_grant SELECT gen_random_uuid(), kind, 'organization:other-' || n %% 2000, dataset, fields,"
        " laws, rows, purpose, basis, methods, quota_requests, quota_rows, quota_bytes, valid_from, valid_until, state,"
        " request, digest, given_by, given_person, given_at, review_by, reviewed_at, rectify_by, rectified_at, ended_at"
        " FROM (SELECT * FROM access_grant LIMIT 1) one CROSS JOIN generate_series(1, %s) n",
        [GRANTS],
    )
    conn.commit()
    conn.autocommit = True
    conn.execute("ANALYZE access_grant")
    caller = Caller(f"organization:{organization}", organization, tier="department")
    planner = Planner(OneKey(), SoftwareProvider())
    asked = Asked("api", purpose)
    ask = Ask(dataset, asked, Wanted(count="none"))
    gate = Gate()
    taken: list[float] = []
    trips: list[float] = []
    for _ in range(DECISIONS):
        started = time.perf_counter()
        conn.execute("SELECT 1").fetchone()
        trips.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        now = datetime.now(UTC)
        decided = gate.decided(conn, caller, dataset, asked, now)
        planner.plan(caller, ask, decided, now, lambda instant: instant)
        taken.append((time.perf_counter() - started) * 1000)
    return {
        "decision_p99_ms": p99(taken),
        "decision_p50_ms": round(statistics.median(taken), 3),
        "round_trip_p99_ms": p99(trips),
    }


def revocation_p99_ms(accounts: Accounts, holder: Session, grant: str, items: str, headers: Mapping[str, str]) -> float:
    """From asking for a suspension to the first refusal, while eight connections read under the same grant."""
    administrator = accounts.session(ADMINISTRATOR)
    address = httpx.URL(items)
    load = ["wrk", "-t1", "-c8", "-d120s"]
    for name, value in headers.items():
        load += ["-H", f"{name}: {value}"]
    taken: list[float] = []
    busy = subprocess.Popen([*load, f"{address}?limit=10&count=none"], stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(headers=dict(headers), trust_env=False, timeout=30) as reader:
            for _ in range(REVOCATIONS):
                body = {"reasons": "测量", "rectify_by": (datetime.now(UTC) + timedelta(days=20)).isoformat()}
                started = time.perf_counter()
                administrator.post(f"/v1/grants/{grant}/suspension", body)
                while reader.get(f"{address}?limit=1&count=none").status_code != FORBIDDEN:
                    if time.perf_counter() - started > REVOKED_SECONDS_MAX:
                        raise RuntimeError("the suspended grant is still in effect")
                taken.append((time.perf_counter() - started) * 1000)
                holder.post(f"/v1/grants/{grant}/rectification", {"text": "测量"})
                administrator.ask("POST", f"/v1/grants/{grant}/resumption")
    finally:
        busy.terminate()
        busy.wait(10)
    return p99(taken)


def export_ratio_to_copy(table: Table, export: str, headers: Mapping[str, str], folder: Path, rounds: int) -> float:
    """Rows a second of a CSV export over HTTP against psql's own COPY of the same rows and columns, alternating."""
    columns = "code, name, kind, region, phone, capacity, opened_on, ST_AsText(position, 9)"
    kinds = ", ".join(f"'{kind}'" for kind in LEFT_OUT)
    query = f'SELECT {columns} FROM {table.schema}."{table.name}" WHERE NOT _deleted AND kind NOT IN ({kinds})'  # noqa: S608 - our own constants
    copied, exported = folder / "copied.csv", folder / "exported.csv"
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    commands = {
        "copy": ["psql", table.url, "-q", "-c", f"\\copy ({query}) TO '{copied}' WITH (FORMAT csv, HEADER)"],
        "export": ["curl", "-sS", "--fail", "-o", str(exported), *given, f"{export}?format=csv"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True)
            taken[name].append(time.perf_counter() - started)
    with copied.open("rb") as one, exported.open("rb") as other:
        rows, told = sum(1 for _ in one), sum(1 for _ in other)
    if rows != told:
        raise RuntimeError(f"the export has {told} lines, COPY {rows}")
    return round(statistics.median(taken["copy"]) / statistics.median(taken["export"]), 2)
