"""Parquet and Avro: pages of values, in the types of what the decision gives. The libraries load when first used."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from schemas.contract import FieldType

if TYPE_CHECKING:
    import pyarrow as pa

REFERENCE: Final = "_ref"
Rows = Sequence[Sequence[Any]]


def avro_page(name: str, types: Mapping[str, FieldType], rows: Rows) -> bytes:
    """An Avro object container file, deflated; every field may be null, as in contracts."""
    import fastavro

    fields = [{"name": REFERENCE, "type": "string"}]
    fields += [{"name": field, "type": ["null", of.to_avro()]} for field, of in types.items()]
    schema = {"type": "record", "name": name, "fields": fields}
    names = (REFERENCE, *types)
    file = io.BytesIO()
    records = [dict(zip(names, _plain(row), strict=True)) for row in rows]
    fastavro.writer(file, fastavro.parse_schema(schema), records, codec="deflate")
    return file.getvalue()


def parquet_page(types: Mapping[str, FieldType], rows: Rows) -> bytes:
    """A Parquet file; geometry is EWKB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(REFERENCE, pa.string(), nullable=False)]
    fields += [pa.field(name, arrow_type(of)) for name, of in types.items()]
    columns = list(zip(*(_plain(row) for row in rows), strict=True)) or [()] * len(fields)
    schema = pa.schema(fields)
    arrays = [pa.array(list(column), type=field.type) for column, field in zip(columns, schema, strict=True)]
    file = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), file, compression="zstd")
    return file.getvalue().to_pybytes()


def arrow_type(of: FieldType) -> "pa.DataType":
    """The Arrow type of a contract's type."""
    import pyarrow as pa

    if of.items is not None:
        return pa.list_(arrow_type(of.items))
    if of.kind == "decimal":
        return pa.decimal128(of.precision, of.scale)
    plain = {
        "string": pa.string(),
        "int": pa.int32(),
        "long": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "bytes": pa.binary(),
        "geometry": pa.binary(),
        "date": pa.date32(),
        "timestamp_millis": pa.timestamp("ms"),
        "timestamp_micros": pa.timestamp("us"),
    }
    return plain[of.kind]


def _plain(row: Sequence[Any]) -> list[Any]:
    return [bytes(value) if isinstance(value, memoryview) else value for value in row]
