"""Equal version, other content: a fixed comparison decides, whatever came first, and the loser is quarantined.

The record whose canonical text form is greater stays. Rare, so one record at a time.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from hub.exchange.apply.target import Target
from hub.exchange.prepared import Rejected
from schemas.reasons import Reason
from schemas.textform import canonical, key_text, record_digest, text_of


@dataclass(frozen=True, slots=True)
class Loser:
    """A record to quarantine, under the receipt that brought it."""

    receipt: int
    entry: Rejected


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the conflicts of a batch ended."""

    newcomers_lost: int
    newcomers_won: int
    losers: tuple[Loser, ...]


def settle_conflicts(conn: Connection, target: Target, *, taken: datetime, receipt: int) -> Outcome:
    """Settle what ``merge`` left as conflicts; the winners among the newcomers are written."""
    width = len(target.columns)
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            sql.SQL(
                "SELECT {new}, {old}, s._n, s._version, s._row, c._receipt FROM {staging} s JOIN {current} c ON {key}"
                " WHERE (s._version, s._row) = (c._version, c._row) AND NOT c._deleted AND NOT ({same}) ORDER BY s._n"
            ).format(
                new=target.list("s", target.columns),
                old=target.list("c", target.columns),
                staging=target.staging,
                current=target.current,
                key=target.key_equal("s", "c"),
                same=target.same_content("s", "c"),
            )
        ).fetchall()
    winners: list[int] = []
    losers: list[Loser] = []
    for row in rows:
        new = {name: text_of(value) for name, value in zip(target.columns, row[:width], strict=True)}
        old = {name: text_of(value) for name, value in zip(target.columns, row[width : 2 * width], strict=True)}
        position, version, version_row, incumbent_receipt = row[2 * width :]
        key = key_text([new[name] for name in target.contract.key])
        wins = canonical(new) > canonical(old)
        if wins:
            winners.append(position)
        lost = old if wins else new
        reason = Reason("conflict", None, {}).to_json()
        entry = Rejected(position, lost, key, version, version_row, record_digest(lost), [reason])
        losers.append(Loser(incumbent_receipt if wins else receipt, entry))
    if winners:
        _overwrite(conn, target, winners, taken=taken, receipt=receipt)
    return Outcome(len(rows) - len(winners), len(winners), tuple(losers))


def _overwrite(conn: Connection, target: Target, positions: list[int], *, taken: datetime, receipt: int) -> None:
    step = sql.SQL("interval '1 microsecond'")
    parameters = {"taken": taken, "receipt": receipt, "positions": positions}
    conn.execute(
        sql.SQL(
            "INSERT INTO {history} ({names}, _until) SELECT {stored}, greatest(%(taken)s, c._taken + {step})"
            " FROM {staging} s JOIN {current} c ON {key} WHERE s._n = ANY(%(positions)s)"
        ).format(
            history=target.history,
            names=target.stored_names,
            stored=target.stored("c"),
            step=step,
            staging=target.staging,
            current=target.current,
            key=target.key_equal("s", "c"),
        ),
        parameters,
    )
    assign = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("s", name)) for name in target.content
    )
    conn.execute(
        sql.SQL(
            "UPDATE {current} c SET {assign}, _taken = greatest(%(taken)s, c._taken + {step}), _receipt = %(receipt)s"
            " FROM {staging} s WHERE {key} AND s._n = ANY(%(positions)s)"
        ).format(
            current=target.current,
            assign=assign,
            step=step,
            staging=target.staging,
            key=target.key_equal("s", "c"),
        ),
        parameters,
    )
