"""The types of datasets' fields, which row conditions are read against."""

from psycopg import Connection

from catalog.condition_json import Types
from catalog.errors import DatasetUnknown
from catalog.grant_store import TypesOf
from catalog.store import find_dataset
from hub.exchange.registry_store import contract_of


def types_in(conn: Connection) -> TypesOf:
    """Reads the types of a dataset's fields, each dataset once."""
    known: dict[str, Types] = {}

    def types_of(dataset: str) -> Types:
        if dataset not in known:
            found = find_dataset(conn, dataset)
            if found is None:
                raise DatasetUnknown(dataset=dataset)
            known[dataset] = {field.name: field.type for field in contract_of(conn, found).fields}
        return known[dataset]

    return types_of
