"""Where the records of a dataset go: its tables, columns and key, and the SQL fragments every statement shares."""

from dataclasses import dataclass

from psycopg import sql

from hub.store.tables import SYSTEM_COLUMNS, column_type, table_name
from schemas.contract import Contract
from schemas.textform import KEY_SEPARATOR


@dataclass(frozen=True, slots=True)
class Target:
    """One dataset with the newest version of its contract the tables know."""

    dataset: str
    contract: Contract

    @property
    def region(self) -> str:
        """``420000`` of ``420000.resident``."""
        return self.dataset.partition(".")[0]

    @property
    def current(self) -> sql.Composable:
        """``data."420000_resident"``."""
        return sql.SQL("data.{}").format(sql.Identifier(table_name(self.dataset)))

    @property
    def history(self) -> sql.Composable:
        """``data."420000_resident_history"``."""
        return sql.SQL("data.{}").format(sql.Identifier(table_name(self.dataset) + "_history"))

    @property
    def staging(self) -> sql.Composable:
        """The temporary table of this connection; named by version, so that a new version makes a new one."""
        return sql.SQL("pg_temp.{}").format(self.staging_name)

    @property
    def staging_name(self) -> sql.Identifier:
        """The unqualified name, for CREATE TEMP TABLE."""
        return sql.Identifier(f"staging_{table_name(self.dataset)}_v{self.contract.version}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The contract's fields, in order."""
        return self.contract.field_names

    @property
    def content(self) -> tuple[str, ...]:
        """Fields that make a record differ: neither its key nor its version."""
        own = {*self.contract.key, self.contract.version_field}
        return tuple(name for name in self.columns if name not in own)

    def key_equal(self, left: str, right: str) -> sql.Composable:
        """``left.k1 = right.k1 AND …``."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
            for name in self.contract.key
        )

    def key_text(self, alias: str) -> sql.Composable:
        """The key of a row as ``schemas.textform.key_text`` writes it."""
        if len(self.contract.key) == 1:
            return sql.SQL("{}::text").format(sql.Identifier(alias, self.contract.key[0]))
        parts = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(alias, name)) for name in self.contract.key
        )
        return sql.SQL("concat_ws({}, {})").format(sql.Literal(KEY_SEPARATOR), parts)

    def key_from_text(self, alias: str, text: sql.Composable) -> sql.Composable:
        """``alias.k1 = <part 1 of text>::type AND …``: uses the primary key's index."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = split_part({}, {}, {})::{}").format(
                sql.Identifier(alias, name),
                text,
                sql.Literal(KEY_SEPARATOR),
                sql.Literal(position),
                sql.SQL(column_type(self.contract.field(name).type)),  # pyright: ignore[reportArgumentType] - a closed table of types
            )
            for position, name in enumerate(self.contract.key, 1)
        )

    def list(self, alias: str, names: tuple[str, ...]) -> sql.Composable:
        """``alias.a, alias.b``."""
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)

    def same_content(self, left: str, right: str) -> sql.Composable:
        """True where both rows say the same, NULLs included."""
        if not self.content:
            return sql.SQL("true")
        return sql.SQL("ROW({}) IS NOT DISTINCT FROM ROW({})").format(
            self.list(left, self.content), self.list(right, self.content)
        )

    def stored(self, alias: str) -> sql.Composable:
        """All columns of a stored row, the hub's own included."""
        return self.list(alias, (*self.columns, *SYSTEM_COLUMNS))

    @property
    def stored_names(self) -> sql.Composable:
        """The same without alias, for column lists."""
        return sql.SQL(", ").join(sql.Identifier(name) for name in (*self.columns, *SYSTEM_COLUMNS))
