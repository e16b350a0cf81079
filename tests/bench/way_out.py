"""The way out, measured as it is used: wrk against the running hub, authorization and ledger on, peers beside it.

``make bench BENCH=way-out``. Starts its own hub in a temporary folder with 1,000,000 points, and tipg and pygeoapi on
the same table; servers alternate, figures are medians of five rounds. The caller is a department's token under a grant
with a row filter and a masked field; ids are random; every answer of the hub's has a durable leaf. 32 connections;
every server at its best of one or two processes. The last line is one JSON object:

==================== ===============================================================================================
first_page_x_tipg    requests/s of the first page of 10 against tipg's; ``…_x_pygeoapi`` beside it, for each case
estimated_x_tipg     the same with the default count, an estimate; tipg counts exactly
bbox_x_tipg          a box that holds about 100
by_id_x_tipg         one record by a random id
filter_x_tipg        10 records of a random kind
decision_p99_ms      from verified token to compiled SQL with 100,000 grants, read from the store, nothing remembered;
                     ``decision_p50_ms``, and ``round_trip_p99_ms``, what a ``SELECT 1`` beside it takes
search_p95_ms        a search page over 100,000 entries
export_ratio_to_copy CSV export of all rows against psql's own COPY of them
as_of_ratio          time of a page as of a moment against the page of now
leaves_per_s         leaves sealed a second
revocation_p99_ms    from asking for a suspension to the first refusal, over 200, under load
==================== ===============================================================================================
"""

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import catalog_search
import httpx
import ledger
import peers
import points
import psycopg
from bench_hub import BenchHub, free_port
from way_out_parts import decisions, export_ratio_to_copy, revocation_p99_ms

from hub.store.cluster import Cluster
from hub.store.migrate import migrate
from seeds.demo_accounts import Session

ROUNDS, SECONDS, CONNECTIONS = 5, 3, 32
PEER_HEADERS = {"Accept": "application/geo+json"}
LUA = """\
local paths = {{}}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
math.randomseed(os.time())
{headers}
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
"""


class AnsweredWithErrors(Exception):
    """A server answered something else than 2xx."""


def wrk(folder: Path, base: str, paths: list[str], headers: Mapping[str, str], seconds: int = SECONDS) -> float:
    """Requests a second.

    Raises:
        AnsweredWithErrors: anything but 2xx was answered.
    """
    (folder / "paths").write_text("\n".join(paths) + "\n", encoding="ascii")
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
    script = folder / "script.lua"
    script.write_text(LUA.format(paths=folder / "paths", headers=lines), encoding="ascii")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), base]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        raise AnsweredWithErrors(f"{base}{paths[0]} was answered with errors:\n{printed}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", printed)
    return float(found[1]) if found else 0.0


def cases(count: int, dice: random.Random) -> Mapping[str, Callable[[str], list[str]]]:
    """For each case the paths asked for, by server; only what the grant allows."""

    def boxes() -> list[tuple[float, float, float, float]]:
        side = 0.057  # degrees: about 100 of a million points over the province
        corners = [(dice.uniform(108.5, 115.9), dice.uniform(29.2, 33.1)) for _ in range(500)]
        return [(west, south, west + side, south + side) for west, south in corners]

    def ids() -> list[str]:
        drawn = (dice.randrange(1, count + 1) for _ in range(4_000))
        return [f"P{number:08}" for number in drawn if number * 7919 % points.KINDS % 10][:2_000]

    kinds = [f"k{kind:02}" for kind in range(points.KINDS) if kind % 10]
    texts = [",".join(f"{edge:.5f}" for edge in box) for box in boxes()]
    keys = ids()
    return {
        "first_page": lambda server: ["?limit=10" + ("&count=none" if server == "hub" else "")],
        "estimated": lambda _: ["?limit=10"],
        "bbox": lambda server: [
            f"?bbox={text}&limit=100" + ("&count=none" if server == "hub" else "") for text in texts
        ],
        "by_id": lambda _: [f"/{key}" for key in keys],
        "filter": lambda server: [
            f"?kind={kind}&limit=10" + ("&count=none" if server == "hub" else "") for kind in kinds
        ],
    }


def side_by_side(
    folder: Path, servers: Mapping[str, tuple[str, Mapping[str, str]]], count: int, rounds: int
) -> dict[str, float | None]:
    """All cases, servers alternating; medians and ratios, None where a peer answered with errors."""
    failed: set[tuple[str, str]] = set()
    measured: dict[tuple[str, str], list[float]] = {}
    asked = cases(count, random.Random(20261125))
    for turn in range(rounds):
        for case, paths_of in asked.items():
            for server, (items, headers) in servers.items():
                address = httpx.URL(items)
                paths = [address.path + path for path in paths_of(server)]
                base = f"{address.scheme}://{address.host}:{address.port}"
                if (case, server) in failed:
                    continue
                try:
                    measured.setdefault((case, server), []).append(wrk(folder, base, paths, headers))
                except AnsweredWithErrors as error:
                    if server == "hub":
                        raise
                    failed.add((case, server))
                    sys.stderr.write(f"{error}\n")
        sys.stderr.write(f"round {turn + 1} of {rounds}\n")
    medians = {key: statistics.median(values) if values else 0.0 for key, values in measured.items()}
    result: dict[str, float | None] = {}
    for (case, server), median in medians.items():
        answered = (case, server) not in failed and median > 0
        result[f"{case}_{server}_per_s"] = round(median, 1) if answered else None
        if server != "hub":
            result[f"{case}_x_{server}"] = round(medians[case, "hub"] / median, 1) if answered else None
    return result


def best_processes(folder: Path, started: Callable[[int], AbstractContextManager[str | None]]) -> int:
    """Whether a peer answers more pages with one process or with two."""
    rates: dict[int, float] = {}
    for processes in (1, 2):
        with started(processes) as address:
            if address is not None:
                pages, ids = (f"{address}{path}" for path in ("?limit=10", "/P00000001"))
                rates[processes] = sum(
                    wrk(folder, one, [httpx.URL(one).raw_path.decode()], PEER_HEADERS, 2) for one in (pages, ids)
                )
    return max(rates, key=lambda processes: rates[processes], default=1)


def as_of_ratio(folder: Path, items: str, headers: Mapping[str, str], rounds: int) -> float:
    """How much longer a page as of a moment takes than the page of now."""
    moment = quote(datetime.now(UTC).isoformat())
    address = httpx.URL(items)
    base = f"{address.scheme}://{address.host}:{address.port}"
    rates: dict[str, list[float]] = {"now": [], "then": []}
    for _ in range(rounds):
        for name, extra in (("now", ""), ("then", f"&as_of={moment}")):
            rates[name].append(wrk(folder, base, [f"{address.path}?limit=10&count=none{extra}"], headers))
    return round(statistics.median(rates["now"]) / statistics.median(rates["then"]), 2)


def measure(folder: Path, count: int, rounds: int) -> dict[str, float | None]:
    """Everything that needs the running hub."""
    hub = BenchHub(folder)
    result: dict[str, float | None] = {}
    with ExitStack() as running:
        running.enter_context(hub.started())
        tokens = points.register(hub)
        with hub.database() as conn:
            points.fill(conn, count)
        for field in ("kind",):
            hub.run("dataset", "index", points.DATASET, field)
        with hub.database() as conn:
            conn.autocommit = True
            conn.execute(f'VACUUM ANALYZE data."{points.TABLE}"')  # pyright: ignore[reportArgumentType] - our own constants
        grant, accounts = points.publish_and_grant(hub, tokens)
        headers = {
            "Authorization": f"Bearer {tokens[points.READER]}",
            "hub-purpose": quote(points.PURPOSE),
            "Accept": "application/geo+json",
        }
        items = f"{hub.url}/v1/datasets/{points.DATASET}/records"
        servers: dict[str, tuple[str, Mapping[str, str]]] = {"hub": (items, headers)}
        table = peers.Table(peers.with_password(hub.database_url()), "data", points.TABLE, "code")
        for name, started in (("tipg", peers.tipg), ("pygeoapi", peers.pygeoapi)):
            processes = best_processes(folder, lambda number, of=started: of(table, free_port(), number, folder))
            address = running.enter_context(started(table, free_port(), processes, folder))
            result[f"{name}_processes"] = processes
            if address is not None:
                servers[name] = (address, PEER_HEADERS)
        result |= side_by_side(folder, servers, count, rounds)
        sys.stderr.write(f"{json.dumps(result)}\n")
        result["as_of_ratio"] = as_of_ratio(folder, items, headers, rounds)
        export = items.replace("/records", "/export")
        result["export_ratio_to_copy"] = export_ratio_to_copy(table, export, headers, folder, rounds)
        holder = Session(hub.url, tokens[points.READER])
        result["revocation_p99_ms"] = revocation_p99_ms(accounts, holder, grant, items, headers)
        with hub.database() as conn:
            result |= decisions(conn, points.READER, points.DATASET, points.PURPOSE)
    return result


def alone() -> dict[str, float]:
    """What is measured on a store of its own: search among many entries, and sealing."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        with Cluster(Path(folder) / "search") as cluster:
            migrate(cluster.url())
            with psycopg.connect(cluster.url()) as conn:
                catalog_search.fill(conn)
                conn.commit()
                conn.autocommit = True
                conn.execute("VACUUM ANALYZE entry_listing")
                conn.execute("VACUUM ANALYZE entry_version")
                search = catalog_search.search_p95_ms(conn)
        with Cluster(Path(folder) / "ledger") as cluster:
            migrate(cluster.url())
            leaves = ledger.leaves_per_s(cluster.url())
    return {"search_p95_ms": round(search, 1), "leaves_per_s": round(leaves)}


def main() -> None:
    """Run all parts and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed; on Debian: apt-get install wrk")
    # Its name is too long for a socket, so the store listens on the loopback: tipg knows no other way.
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-".ljust(100, "-")))
    started = time.perf_counter()
    try:
        result = measure(folder, given.points, given.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write(f"{json.dumps(result)}\n")
    result |= alone()
    result["seconds"] = round(time.perf_counter() - started)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
