"""The act of entering a year's official arrangement of holidays (国务院办公厅关于部分节假日安排的通知)."""

import json
from datetime import datetime

from psycopg import Connection

from catalog.calendar_store import save_year
from catalog.caller import Caller
from catalog.grant_text import digest_of
from catalog.workdays import YearArrangement
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append


def enter_year(conn: Connection, actor: Caller, year: YearArrangement, now: datetime) -> None:
    """Enter a year, or correct it; it counts before what the package knows, and clocks are read by it at once."""
    actor.require("administrator")
    save_year(conn, year, actor.id, now)
    days = {name: [day.isoformat() for day in sorted(getattr(year, name))] for name in ("holidays", "workdays")}
    leaf = Leaf(
        action="calendar.entered",
        actor=actor.id,
        actor_org=actor.organization or "",
        object=f"calendar:{year.year}",
        result_sm3=digest_of(json.dumps(days, sort_keys=True, separators=(",", ":"))),
    )
    append(conn, leaf, now)
