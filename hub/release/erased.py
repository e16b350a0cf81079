"""Erasures in the changes feed: who follows a dataset is told which record to erase, by its reference alone.

Nothing of the record is left in the tables, so what is told comes from the notice that erasure leaves for a while: the
key, sealed. Where that is forgotten already the page says so, as where its terms are others than its cursor's: whoever
was away for so long exports the dataset again.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import Connection

from hub.exchange.erasure_keys import ErasureKeys
from hub.exchange.erasure_store import notices_between
from hub.release.changes import ChangesPage, Reached
from hub.release.columnar import REFERENCE
from hub.release.page import instant_text
from hub.release.reference import make_opaque, make_plain
from hub.release.select import Compiled

_Entry = tuple[Reached, bytes | None]


def with_erased(
    conn: Connection, page: ChangesPage, compiled: Compiled, keys: ErasureKeys, after: Reached, limit: int
) -> ChangesPage:
    """A page of changes with the erasures between its ends, in order; it may then end earlier.

    Args:
        conn: a connection.
        page: of changes alone.
        compiled: the dataset under the reader's decision.
        keys: that opened the notices.
        after: where the page begins.
        limit: most changes.
    """
    dataset = compiled.resource.dataset
    found = notices_between(conn, dataset, after.taken, page.reached.taken, limit + 2)  # one at each end may be outside
    notices: list[_Entry] = [
        (Reached(at), None if sealed is None else _gone(at, keys.open(dataset, sealed), compiled))
        for at, sealed in found
        if _is_between(at, after, page.reached)
    ]
    if not notices:
        return page
    entries: list[_Entry] = [*zip(page.places, page.changes, strict=True), *notices]
    entries.sort(key=lambda entry: (entry[0].taken, entry[0].key is None))  # a change's place has its key
    if len(entries) > limit or len(found) > limit + 1:
        entries = entries[:limit]
        page = replace(page, reached=entries[-1][0], more=True)
    return _with_entries(page, entries)


def _with_entries(page: ChangesPage, entries: Sequence[_Entry]) -> ChangesPage:
    told = [(place, change) for place, change in entries if change is not None]
    return replace(
        page,
        changes=[change for _, change in told],
        places=[place for place, _ in told],
        missed=len(told) < len(entries),
    )


def _is_between(at: datetime, after: Reached, reached: Reached) -> bool:
    """An erasure's place is after every change of its instant."""
    begun = at > after.taken or (at == after.taken and after.key is not None)
    return begun and (at < reached.taken or (at == reached.taken and reached.key is None))


def _gone(at: datetime, key: tuple[str, ...], compiled: Compiled) -> bytes:
    reference = make_plain(key) if compiled.references is None else make_opaque(key, compiled.references)
    change = {"op": "gone", "at": instant_text(at), "record": {REFERENCE: reference}}
    return json.dumps(change, separators=(",", ":")).encode()
