"""Indexes for what is filtered by: on demand, because each is paid for by every record that comes in.

An index on a field ends with the key, so that a page of equal values is read in its order. On a text it serves
equality, one-of and prefix; on others order and intervals, too. A geometry has its index from the beginning
(``hub.store.tables``).
"""

from typing import Final

from psycopg import Connection, sql
from psycopg.errors import ProgramLimitExceeded

from catalog.condition_json import sortable
from catalog.errors import DatasetUnknown
from catalog.store import find_dataset
from hub.exchange.registry_store import contract_of
from hub.release.errors import IndexRefused
from hub.store.tables import NAME_BYTES_MAX, table_name

# Not within a transaction, so that records go on coming in while it is built.
_CREATE: Final = sql.SQL("CREATE INDEX CONCURRENTLY {name} ON data.{table} ({columns})")
_LEFT_UNFINISHED: Final = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'data' AND c.relname = %s AND NOT i.indisvalid"
)


def add_index(conn: Connection, dataset: str, field: str) -> bool:
    """Index a field of a dataset's current records; whether there was none before.

    Args:
        conn: a connection in autocommit.
        dataset: id.
        field: of its contract.

    Raises:
        DatasetUnknown: no such dataset.
        IndexRefused: no such field, or one whose values have no order, or are longer than an index can hold. A longer
            value that comes later is refused as a record (``store_refused``).
    """
    found = find_dataset(conn, dataset)
    if found is None:
        raise DatasetUnknown(dataset=dataset)
    contract = contract_of(conn, found)
    if field not in contract.field_names or not sortable(contract.field(field).type):
        raise IndexRefused(dataset=dataset, field=field[:NAME_BYTES_MAX])
    name = f"{table_name(dataset)}_{field}_by"[-NAME_BYTES_MAX:]
    if conn.execute(_LEFT_UNFINISHED, [name]).fetchone():
        conn.execute(_drop(name))
    if conn.execute("SELECT to_regclass(%s)", [f'data."{name}"']).fetchone() != (None,):
        return False
    is_text = contract.field(field).type.kind == "string"
    columns: list[sql.Composable] = [
        sql.SQL("{} text_pattern_ops" if is_text else "{}").format(sql.Identifier(field)),
    ]
    columns += [sql.Identifier(key) for key in contract.key if key != field]
    try:
        conn.execute(
            _CREATE.format(
                name=sql.Identifier(name),
                table=sql.Identifier(table_name(dataset)),
                columns=sql.SQL(", ").join(columns),
            )
        )
    except ProgramLimitExceeded as error:  # what was begun would refuse records, and serve nobody
        conn.execute(_drop(name))
        raise IndexRefused(dataset=dataset, field=field) from error
    return True


def _drop(name: str) -> sql.Composed:
    return sql.SQL("DROP INDEX CONCURRENTLY data.{}").format(sql.Identifier(name))
