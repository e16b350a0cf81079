"""Parts of the way-out benchmark that are no load of wrk's alone: decisions by themselves, revocation under load."""

import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
from psycopg import Connection

from catalog.caller import Caller
from catalog.decision import Asked
from hub.release.gate import Gate
from hub.release.page import Ask
from hub.release.plan import Planner
from hub.release.query import Wanted
from schemas.national.provider import SoftwareProvider
from seeds.demo_accounts import ADMINISTRATOR, Accounts

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


def decision_p99_ms(conn: Connection, organization: str, dataset: str, purpose: str) -> float:
    """From a verified caller to compiled SQL, grants read from a store that holds 100,000; nothing is remembered."""
    conn.execute(
        "INSERT INTO access_grant SELECT (jsonb_populate_record(g, jsonb_build_object("
        " 'id', gen_random_uuid(), 'holder', 'organization:o' || n))).* FROM (SELECT * FROM access_grant LIMIT 1) g"
        " CROSS JOIN generate_series(1, %s) n",
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
    for _ in range(DECISIONS):
        started = time.perf_counter()
        now = datetime.now(UTC)
        decided = gate.decided(conn, caller, dataset, asked, now)
        planner.plan(caller, ask, decided, now, lambda instant: instant)
        taken.append((time.perf_counter() - started) * 1000)
    return p99(taken)


def revocation_p99_ms(accounts: Accounts, grant: str, items: str, headers: Mapping[str, str]) -> float:
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
                administrator.post(f"/v1/grants/{grant}/rectification", {"text": "测量"})
                administrator.ask("POST", f"/v1/grants/{grant}/resumption")
    finally:
        busy.terminate()
        busy.wait(10)
    return p99(taken)
