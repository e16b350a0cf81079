"""Store checks: does the record this one refers to exist? One set-based query per reference.

A miss is not an error of the sender: the parent may be on its way. Such a record waits in quarantine as ``pending``;
when the parent's dataset takes the missing key, in that same transaction, the wait ends and the record becomes
``ready``; the worker then applies it again.
"""

from dataclasses import dataclass

from psycopg import Connection, sql

from hub.exchange.apply.target import Target
from hub.exchange.prepared import Rejected
from hub.store.tables import table_name
from schemas.contract import Reference
from schemas.reasons import Reason
from schemas.textform import key_text, record_digest, text_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record and the parents it waits for, as (reference name, parent dataset, parent key text)."""

    entry: Rejected
    parents: tuple[tuple[str, str, str], ...]


def parent_dataset(target: Target, reference: Reference) -> str:
    """``resident`` → ``420000.resident``: a reference stays inside the dataset's region."""
    return f"{target.region}.{reference.dataset}"


def take_out_pending(conn: Connection, target: Target) -> list[Waiting]:
    """Find staged rows with a missing parent, take them out of staging and hand them over."""
    missing: dict[int, list[Reference]] = {}
    for reference in target.contract.references:
        for position in _missing(conn, target, reference):
            missing.setdefault(position, []).append(reference)
    if not missing:
        return []
    rows = conn.execute(
        sql.SQL("DELETE FROM {staging} s WHERE s._n = ANY(%s) RETURNING {columns}, s._n, s._version, s._row").format(
            staging=target.staging, columns=target.list("s", target.columns)
        ),
        [list(missing)],
    ).fetchall()
    width = len(target.columns)
    return [
        _waiting(target, dict(zip(target.columns, row[:width], strict=True)), row[width:], missing[row[width]])
        for row in sorted(rows, key=lambda row: row[width])
    ]


def _waiting(
    target: Target, values: dict[str, object], own: tuple[int, int, int], references: list[Reference]
) -> Waiting:
    position, version, version_row = own
    record = {name: text_of(value) for name, value in values.items()}
    reasons = [
        Reason("reference_missing", reference.fields[0], {"dataset": reference.dataset}).to_json()
        for reference in references
    ]
    key = key_text([values[name] for name in target.contract.key])
    parents = tuple(
        (reference.name, parent_dataset(target, reference), str(key_text([values[name] for name in reference.fields])))
        for reference in references
    )
    return Waiting(Rejected(position, record, key, version, version_row, record_digest(record), reasons), parents)


def _missing(conn: Connection, target: Target, reference: Reference) -> list[int]:
    parent = parent_dataset(target, reference)
    given = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT NULL").format(sql.Identifier("s", name)) for name in reference.fields
    )
    pairs = list(zip(reference.fields, reference.to_fields, strict=True))
    conditions: list[sql.Composable] = []
    if _known(conn, parent):
        conditions.append(
            sql.SQL("NOT EXISTS (SELECT FROM data.{parent} p WHERE NOT p._deleted AND {equal})").format(
                parent=sql.Identifier(table_name(parent)), equal=_equal("p", pairs)
            )
        )
    if parent == target.dataset:  # a parent in the same batch is a parent
        conditions.append(
            sql.SQL("NOT EXISTS (SELECT FROM {staging} p WHERE {equal})").format(
                staging=target.staging, equal=_equal("p", pairs)
            )
        )
    query = sql.SQL("SELECT s._n FROM {staging} s WHERE {given}{conditions}").format(
        staging=target.staging,
        given=given,
        conditions=sql.SQL("").join(sql.SQL(" AND ") + condition for condition in conditions),
    )
    return [row[0] for row in conn.execute(query).fetchall()]


def _equal(alias: str, pairs: list[tuple[str, str]]) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(alias, to_field), sql.Identifier("s", field))
        for field, to_field in pairs
    )


def _known(conn: Connection, dataset: str) -> bool:
    row = conn.execute("SELECT true FROM dataset WHERE id = %s", [dataset]).fetchone()
    return row is not None


def end_waits(conn: Connection, target: Target) -> int:
    """End the waits for keys that are in staging and now in current; returns how many records became ready."""
    waited_for = conn.execute(
        "SELECT true FROM pending_reference WHERE parent = %s LIMIT 1", [target.dataset]
    ).fetchone()
    if waited_for is None:
        return 0
    # One look-up in the index per staged key; nested loops are forced on the worker's connection.
    ended = conn.execute(
        sql.SQL(
            "DELETE FROM pending_reference w USING {staging} s WHERE w.parent = %s AND w.parent_key = {key}"
            " RETURNING w.quarantine"
        ).format(staging=target.staging, key=target.key_text("s")),
        [target.dataset],
    ).fetchall()
    if not ended:
        return 0
    return conn.execute(
        "UPDATE quarantine q SET state = 'ready' WHERE q.id = ANY(%s) AND q.state = 'pending'"
        " AND NOT EXISTS (SELECT FROM pending_reference w WHERE w.quarantine = q.id)",
        [[row[0] for row in ended]],
    ).rowcount
