"""The forms of an export: how a part of a dataset becomes bytes, and how a file shows that it was cut.

======== ========================================================= =============================================
format   a part                                                    a file that was cut ends with
======== ========================================================= =============================================
csv      COPY … csv, as PostgreSQL makes it                        a line ``#hub-cut <export> <why>``
ndjson   COPY of row_to_json, a record a line                      a line ``{"hub_cut":{"export":…,"why":…}}``
parquet  a row group                                               nothing: without its footer it is no file
avro     a block                                                   nothing: whole blocks, fewer than there should be
======== ========================================================= =============================================

In every format a cut file's transfer is broken off as well, so that no client takes it for whole. A continued csv or
ndjson has no header of its own and is appended to what there is; a continued parquet or avro is a file of its own.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from psycopg import Connection, sql

from hub.release import columnar, shaped
from hub.release.copy_out import Chunk, Look, copied
from hub.release.formats import FORMATS, Format
from hub.release.segment import Key, copy_statement, part_sql
from hub.release.select import Body, Compiled, body_of, reference_column

OFFERED: Final = tuple(
    next(one for one in FORMATS if one.name == name) for name in ("csv", "ndjson", "parquet", "avro")
)
# What a spreadsheet takes for a formula, as in ``formats``.
_FORMULA: Final = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
_BOM: Final = b"\xef\xbb\xbf"


class Writer(Protocol):
    """One export's bytes."""

    def begin(self) -> bytes:
        """What stands before every record."""
        ...

    def part(
        self, conn: Connection, compiled: Compiled, after: Key | None, until: Key | None, at: datetime, look: Look
    ) -> Iterator[Chunk]:
        """The records between two keys."""
        ...

    def end(self) -> bytes:
        """What stands after every record."""
        ...

    def cut(self, export: str, why: str) -> bytes:
        """What says that it was cut."""
        ...


def writer_of(compiled: Compiled, format_: Format, *, spreadsheet: bool, continued: bool) -> Writer:
    """The writer of a format."""
    match format_.name:
        case "csv":
            return CsvWriter(compiled, spreadsheet=spreadsheet, continued=continued)
        case "parquet":
            return ColumnarWriter(compiled, _Parquet)
        case "avro":
            return ColumnarWriter(compiled, _Avro)
        case _:
            return LinesWriter()


# Passed through ------------------------------------------------------------------------------------------------------


class CsvWriter:
    """CSV with a header. The reference is a column where it is not the key itself."""

    def __init__(self, compiled: Compiled, *, spreadsheet: bool, continued: bool) -> None:
        names = compiled.query.fields
        self._names = names if compiled.references is None else (columnar.REFERENCE, *names)
        self._spreadsheet = spreadsheet
        self._continued = continued

    def begin(self) -> bytes:
        """The header."""
        if self._continued:
            return b""
        return (_BOM if self._spreadsheet else b"") + ",".join(self._names).encode() + b"\n"

    def part(
        self, conn: Connection, compiled: Compiled, after: Key | None, until: Key | None, at: datetime, look: Look
    ) -> Iterator[Chunk]:
        """Rows as PostgreSQL writes them."""
        part, parameters = part_sql(compiled, self._body(compiled), after, until, at)
        return copied(conn, copy_statement(conn, part, parameters, lines=False), look)

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def cut(self, export: str, why: str) -> bytes:
        """A line with another number of fields than all others."""
        return f"#hub-cut {export} {why}\n".encode()

    def _body(self, compiled: Compiled) -> Body:
        names, decision, key = compiled.query.fields, compiled.decision, compiled.pseudonym_key
        types = shaped.given_types(decision, compiled.resource, names)
        columns: list[sql.Composable] = [] if compiled.references is None else [reference_column(compiled)]
        for name in names:
            column = shaped.given_column(decision, compiled.resource, name, key, "text")
            guarded = self._spreadsheet and types[name].kind == "string"
            columns.append(_guarded(column) if guarded else column)
        parameters = shaped.column_parameters(decision, compiled.resource, names, key, "text")
        signs = {"formula_signs": _FORMULA} if self._spreadsheet else {}
        return Body(sql.SQL(", ").join(columns), parameters | signs)


def _guarded(column: sql.Composable) -> sql.Composable:
    return sql.SQL("CASE WHEN left({c}, 1) = ANY(%(formula_signs)s::text[]) THEN '''' || {c} ELSE {c} END").format(
        c=column
    )


class LinesWriter:
    """NDJSON."""

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def part(
        self, conn: Connection, compiled: Compiled, after: Key | None, until: Key | None, at: datetime, look: Look
    ) -> Iterator[Chunk]:
        """Lines as PostgreSQL writes them."""
        part, parameters = part_sql(compiled, body_of(compiled, "json"), after, until, at)
        return copied(conn, copy_statement(conn, part, parameters, lines=True), look)

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def cut(self, export: str, why: str) -> bytes:
        """An object with a single member that no record has."""
        return json.dumps({"hub_cut": {"export": export, "why": why}}, separators=(",", ":")).encode() + b"\n"


# Columnar ------------------------------------------------------------------------------------------------------------


class _File(Protocol):
    """A file that is written as it goes."""

    def write(self, rows: columnar.Rows) -> None:
        """Write records."""
        ...

    def taken(self, *, ending: bool) -> bytes:
        """The bytes made since the last time."""
        ...


class ColumnarWriter:
    """Parquet or Avro: values in the types of what the decision gives, one row group or block a part."""

    def __init__(self, compiled: Compiled, file: Callable[[Compiled], _File]) -> None:
        self._file = file(compiled)

    def begin(self) -> bytes:
        """The file's beginning."""
        return self._file.taken(ending=False)

    def part(
        self, conn: Connection, compiled: Compiled, after: Key | None, until: Key | None, at: datetime, look: Look
    ) -> Iterator[Chunk]:
        """One row group or block; none where there is no record."""
        part, parameters = part_sql(compiled, body_of(compiled, "typed"), after, until, at)
        look()
        rows = conn.execute(part, parameters).fetchall()
        if rows:
            self._file.write(rows)
            yield Chunk(self._file.taken(ending=False), len(rows))

    def end(self) -> bytes:
        """The file's end."""
        return self._file.taken(ending=True)

    def cut(self, export: str, why: str) -> bytes:
        """Nothing: the file has no end."""
        del export, why
        return b""


class _Sink(io.RawIOBase):
    """Collects what a library writes; it can be told its place and nothing else."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401 - any buffer
        part = bytes(content)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Parquet:
    def __init__(self, compiled: Compiled) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = shaped.given_types(compiled.decision, compiled.resource, compiled.query.fields)
        fields = [pa.field(columnar.REFERENCE, pa.string(), nullable=False)]
        fields += [pa.field(name, columnar.arrow_type(of)) for name, of in types.items()]
        self._schema = pa.schema(fields)
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd")

    def write(self, rows: columnar.Rows) -> None:
        import pyarrow as pa

        columns = zip(*rows, strict=True)
        arrays = [
            pa.array([_plain(value) for value in column], type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def taken(self, *, ending: bool) -> bytes:
        if ending:
            self._writer.close()
        return self._sink.take()


class _Avro:
    def __init__(self, compiled: Compiled) -> None:
        import fastavro
        from fastavro.write import Writer as BlockWriter

        types = shaped.given_types(compiled.decision, compiled.resource, compiled.query.fields)
        fields: list[Any] = [{"name": columnar.REFERENCE, "type": "string"}]
        fields += [{"name": name, "type": ["null", of.to_avro()]} for name, of in types.items()]
        self._names = (columnar.REFERENCE, *types)
        self._sink = _Sink()
        name = compiled.resource.dataset.partition(".")[2]
        schema = fastavro.parse_schema({"type": "record", "name": name, "fields": fields})
        self._writer = BlockWriter(self._sink, schema, codec="deflate")  # pyright: ignore[reportArgumentType] - it writes only

    def write(self, rows: columnar.Rows) -> None:
        for row in rows:
            self._writer.write(dict(zip(self._names, map(_plain, row), strict=True)))
        self._writer.flush()

    def taken(self, *, ending: bool) -> bytes:
        if ending:
            self._writer.flush()
        return self._sink.take()


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def format_named(formats: Sequence[Format], name: str) -> Format | None:
    """The format of a name."""
    return next((one for one in formats if one.name == name), None)
