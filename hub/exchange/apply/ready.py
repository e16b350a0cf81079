"""Records that waited for a parent that has come: back from quarantine through the same merge."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from hub.exchange import quarantine
from hub.exchange.apply.conflict import settle_conflicts
from hub.exchange.apply.locks import enter_horizon, lock_datasets
from hub.exchange.apply.merge import merge
from hub.exchange.apply.references import parent_dataset, take_out_pending
from hub.exchange.apply.staging import clock, ensure_staging
from hub.exchange.apply.target import Target
from hub.exchange.prepared import Rejected
from hub.store.tables import column_type
from schemas.contract import Field

ROWS_MAX = 10_000  # bounds one transaction


@dataclass(frozen=True, slots=True)
class Resolved:
    """How many records were taken, and how many wait again because their parent went meanwhile."""

    taken: int
    waiting: int


def datasets_with_ready(conn: Connection) -> list[str]:
    """Datasets that hold records ready to be applied again."""
    return [row[0] for row in conn.execute("SELECT DISTINCT dataset FROM quarantine WHERE state = 'ready'").fetchall()]


def apply_ready(conn: Connection, target: Target) -> Resolved:
    """Apply the ready records of one receipt, in the transaction the caller opened."""
    ensure_staging(conn, target)
    enter_horizon(conn)
    taken = clock(conn)
    parents = {parent_dataset(target, reference) for reference in target.contract.references}
    lock_datasets(conn, [target.dataset], parents)
    receipt = _stage(conn, target)
    if receipt is None:
        return Resolved(0, 0)
    staged = [row[0] for row in conn.execute(sql.SQL("SELECT _n FROM {}").format(target.staging)).fetchall()]
    again = take_out_pending(conn, target)
    waiting = {one.entry.position for one in again}
    for one in again:
        conn.execute("UPDATE quarantine SET state = 'pending' WHERE id = %s", [one.entry.position])
        quarantine.wait_for(conn, one.entry.position, one.parents)
    counts = merge(conn, target, delete=False, taken=taken, receipt=receipt)
    losers = settle_conflicts(conn, target, taken=taken, receipt=receipt).losers if counts["conflict"] else ()
    conn.execute(
        "UPDATE quarantine SET state = 'closed', closed_at = %s, closed_by = 'resolved' WHERE id = ANY(%s)",
        [taken, [entry for entry in staged if entry not in waiting]],
    )
    _put_losers(conn, target, receipt, [(loser.receipt, loser.entry) for loser in losers], taken)
    overwritten = counts["changed"] + counts["revived"]
    conn.execute(
        "UPDATE dataset_statistics SET records = records + %s, tombstones = tombstones - %s, history = history + %s"
        " WHERE dataset = %s",
        [counts["new"] + counts["revived"], counts["revived"], overwritten, target.dataset],
    )
    return Resolved(len(staged) - len(again), len(again))


def _put_losers(
    conn: Connection, target: Target, receipt: int, losers: list[tuple[int, Rejected]], taken: datetime
) -> None:
    row = conn.execute("SELECT organization FROM receipt WHERE id = %s", [receipt]).fetchone()
    assert row is not None  # noqa: S101 - quarantine refers to its receipt
    quarantine.put(conn, target, row[0], losers, taken)


def _stage(conn: Connection, target: Target) -> int | None:
    """Stage the ready records of the oldest receipt that has any, the highest version of each key."""
    row = conn.execute(
        "SELECT receipt FROM quarantine WHERE dataset = %s AND state = 'ready' ORDER BY id LIMIT 1", [target.dataset]
    ).fetchone()
    if row is None:
        return None
    values = sql.SQL(", ").join(_from_text(field) for field in target.contract.fields)
    names = sql.SQL(", ").join(sql.Identifier(name) for name in target.columns)
    conn.execute(
        sql.SQL(
            "INSERT INTO {staging} ({names}, _version, _row, _n)"
            " SELECT {values}, q.version, q.version_row, q.id FROM ("
            " SELECT DISTINCT ON (key) * FROM quarantine WHERE dataset = %s AND state = 'ready' AND receipt = %s"
            " ORDER BY key, version DESC, version_row DESC, id LIMIT %s) q"
        ).format(staging=target.staging, names=names, values=values),
        [target.dataset, row[0], ROWS_MAX],
    )
    return int(row[0])


def _from_text(field: Field) -> sql.Composable:
    """The field's text form as a value of its column."""
    text = sql.SQL("(q.record ->> {})").format(sql.Literal(field.name))
    kind = sql.SQL(column_type(field.type))  # pyright: ignore[reportArgumentType] - a closed table of types
    match field.type.kind:
        case "bytes":
            return sql.SQL("decode({}, 'hex')").format(text)
        case "array":
            return sql.SQL(
                "(SELECT array_agg(item ORDER BY place) FROM jsonb_array_elements_text({}::jsonb)"
                " WITH ORDINALITY AS list (item, place))::{}"
            ).format(text, kind)
        case _:
            return sql.SQL("{}::{}").format(text, kind)
