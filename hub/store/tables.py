"""The pair of tables behind a dataset, made from its contract.

``current`` holds the newest full row of every key with its version, ``history`` what a record said before, a row for
each content that was superseded. Both carry these columns after the contract's own:

========== ============ =====================================================================
_version   bigint       the record's version: the contract's version field, else cut_at in µs
_row       bigint       second part of the version: row number in the run, 0 with a version field
_deleted   boolean      a tombstone: key and version stay, the other values are NULL
_taken     timestamptz  transaction time from which the hub held this content
_receipt   bigint       the receipt of the batch that brought it
_until     timestamptz  history only: transaction time at which it was superseded
_since     timestamptz  current only: when its key came, by the clock; later where history lacks
                        what it said before. The changes feed finds new keys by it
========== ============ =====================================================================
"""

from psycopg import Connection, sql

from schemas.contract import Contract, Field, FieldType

NAME_BYTES_MAX = 63  # of an identifier in PostgreSQL
SYSTEM_COLUMNS = ("_version", "_row", "_deleted", "_taken", "_receipt")

_TYPES = {
    "string": "text",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
    "boolean": "boolean",
    "bytes": "bytea",
    "date": "date",
    "timestamp_millis": "timestamp(3)",
    "timestamp_micros": "timestamp(6)",
    "geometry": "geometry(Geometry, 4490)",
}


def table_name(dataset: str) -> str:
    """``420000.resident`` → ``420000_resident``: the name of the current table in schema data."""
    return dataset.replace(".", "_")


def column_type(field_type: FieldType) -> str:
    """The PostgreSQL type that holds every value of the contract's type."""
    if field_type.kind == "decimal":
        return f"numeric({field_type.precision},{field_type.scale})"
    if field_type.kind == "array":
        assert field_type.items is not None  # noqa: S101 - the parser gives every array its items
        return column_type(field_type.items) + "[]"
    return _TYPES[field_type.kind]


def column(field: Field, contract: Contract) -> sql.Composable:
    """``"name" type`` with byte order for keys."""
    kind = sql.SQL(column_type(field.type))  # pyright: ignore[reportArgumentType] - a closed table of types
    parts: list[sql.Composable] = [sql.Identifier(field.name), kind]
    if field.name in contract.key:
        if field.type.kind == "string":
            parts.append(sql.SQL('COLLATE "C"'))
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def create_dataset_tables(conn: Connection, dataset: str, contract: Contract) -> str:
    """Create current and history of a new dataset; returns the name of the current table."""
    name = table_name(dataset)
    columns = sql.SQL(", ").join(column(field, contract) for field in contract.fields)
    key = sql.SQL(", ").join(sql.Identifier(key_field) for key_field in contract.key)
    # No index on what changes: it would forbid in-place updates. More are made on demand: hub.release.index.
    conn.execute(
        sql.SQL(
            "CREATE TABLE data.{table} ({columns}, _version bigint NOT NULL, _row bigint NOT NULL,"
            " _deleted boolean NOT NULL, _taken timestamptz NOT NULL, _receipt bigint NOT NULL,"
            " PRIMARY KEY ({key}))"
            " WITH (fillfactor = 90, autovacuum_analyze_scale_factor = 0.2)"
        ).format(table=sql.Identifier(name), columns=columns, key=key)
    )
    conn.execute(
        sql.SQL("CREATE TABLE data.{table} (LIKE data.{current}, _until timestamptz NOT NULL)").format(
            table=sql.Identifier(name + "_history"), current=sql.Identifier(name)
        )
    )
    conn.execute(
        sql.SQL("CREATE INDEX ON data.{table} ({key}, _until)").format(table=sql.Identifier(name + "_history"), key=key)
    )
    _make_changes_findable(conn, name)
    for field in contract.fields:
        _make_position_findable(conn, name, field)
    return name


def _make_position_findable(conn: Connection, name: str, field: Field) -> None:
    """A map asks by box from the first day on. Positions seldom change, so updates stay in place all the same."""
    if field.type.kind == "geometry":
        conn.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {index} ON data.{table} USING gist ({column})").format(
                index=sql.Identifier(f"{name}_{field.name}_at"[-NAME_BYTES_MAX:]),
                table=sql.Identifier(name),
                column=sql.Identifier(field.name),
            )
        )


def _make_changes_findable(conn: Connection, name: str) -> None:
    """As 0011_subscription.sql, which says why. Inserts name their columns, so the default fills this one."""
    conn.execute(
        sql.SQL("ALTER TABLE data.{table} ADD COLUMN _since timestamptz NOT NULL DEFAULT clock_timestamp()").format(
            table=sql.Identifier(name)
        )
    )
    for table, column_name in ((name, "_since"), (name + "_history", "_until")):
        conn.execute(
            sql.SQL(
                "CREATE INDEX ON data.{table} USING brin ({column}) WITH (pages_per_range = 32, autosummarize = on)"
            ).format(table=sql.Identifier(table), column=sql.Identifier(column_name))
        )


def extend_dataset_tables(conn: Connection, dataset: str, contract: Contract) -> None:
    """Add the columns a newer compatible version of the contract brings; existing rows say NULL there."""
    for suffix in ("", "_history"):
        table = sql.Identifier(table_name(dataset) + suffix)
        for field in contract.fields:
            if field.name in contract.key:
                continue
            conn.execute(
                sql.SQL("ALTER TABLE data.{table} ADD COLUMN IF NOT EXISTS {column}").format(
                    table=table, column=column(field, contract)
                )
            )
    for field in contract.fields:
        _make_position_findable(conn, table_name(dataset), field)
