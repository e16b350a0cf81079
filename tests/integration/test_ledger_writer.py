import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop
from ledger_maker import leaf, utc_now
from psycopg import Connection

from hub.ledger import leaf_store
from hub.ledger.errors import LeafWrong, LedgerBusy, LedgerUnavailable
from hub.ledger.writer import LeafWriter, ThreadedLeafWriter
from hub.store.connect import connect

WRITERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'hub ledger writer' AND datname = current_database()"
)


def run(work: Coroutine[Any, Any, None]) -> None:
    uvloop.run(work)


def count(conn: Connection) -> int:
    conn.rollback()
    row = conn.execute("SELECT count(*) FROM ledger_leaf").fetchone()
    assert row is not None
    return int(row[0])


def transactions(conn: Connection) -> int:
    row = conn.execute("SELECT count(DISTINCT xid::text) FROM ledger_leaf").fetchone()
    assert row is not None
    return int(row[0])


def test_a_leaf_is_there_when_its_writer_says_so(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        for number in range(5):
            made = await writer.awrite(leaf(number, confidential={"src_ip": "10.1.1.1"}))
            connection.rollback()
            assert leaf_store.find_leaf(connection, made) is not None
            assert [one.value for one in leaf_store.find_openings(connection, made)] == ["10.1.1.1"]
        await writer.close()

    run(work())


def test_what_arrives_during_a_commit_goes_in_the_next_one(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        made = await asyncio.gather(*(writer.awrite(leaf(number)) for number in range(500)))
        assert len(set(made)) == 500
        await writer.close()

    run(work())
    assert count(connection) == 500
    assert transactions(connection) <= 2


def test_threads_write_through_the_same_writer(database_url: str, connection: Connection):
    with ThreadedLeafWriter(database_url, utc_now) as writer:
        threads = [
            threading.Thread(target=lambda: [writer.write(leaf(number)) for number in range(20)]) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert count(connection) == 120
    with pytest.raises(LedgerUnavailable):
        writer.write(leaf())


def test_a_leaf_that_cannot_be_recorded_harms_no_other(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        good = [writer.awrite(leaf(number)) for number in range(3)]
        bad = writer.awrite(leaf(9, rows=-1))
        done = await asyncio.gather(*good, bad, return_exceptions=True)
        assert isinstance(done[3], LeafWrong)
        await writer.close()

    run(work())
    assert count(connection) == 3


def test_what_the_store_refuses_fails_its_own_caller_only(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        twice = "01890000-0000-7000-8000-000000000000"
        await writer.awrite(leaf(0), id_=twice)
        asked = [writer.awrite(leaf(number), id_=twice if number == 5 else None) for number in range(9)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert [number for number, one in enumerate(done) if isinstance(one, LedgerUnavailable)] == [5]
        await writer.close()

    run(work())
    assert count(connection) == 9


def test_a_full_queue_refuses_at_once(database_url: str):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now, waiting_max=3)
        await writer.open()
        done = await asyncio.gather(*(writer.awrite(leaf(number)) for number in range(10)), return_exceptions=True)
        assert sum(isinstance(one, LedgerBusy) for one in done) == 7
        await writer.close()

    run(work())


def test_a_lost_connection_fails_its_callers_and_is_replaced(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        await writer.awrite(leaf(1))
        connection.execute(WRITERS)
        connection.commit()
        with pytest.raises(LedgerUnavailable):
            await writer.awrite(leaf(2))
        await writer.awrite(leaf(3))
        await writer.close()

    run(work())
    assert count(connection) == 2


def test_a_store_that_hangs_fails_its_callers_in_time(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now, seconds_max=0.5)
        await writer.open()
        with connect(database_url, "holder") as holder:
            holder.execute("ALTER TABLE ledger_leaf DISABLE TRIGGER USER")  # nobody may insert meanwhile
            begun = asyncio.get_running_loop().time()
            first = asyncio.ensure_future(writer.awrite(leaf(1)))
            await asyncio.sleep(0.1)
            second = asyncio.ensure_future(writer.awrite(leaf(2)))
            done = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(one) for one in done] == [LedgerUnavailable, LedgerUnavailable]
            assert asyncio.get_running_loop().time() - begun < 5
            holder.rollback()
        await writer.awrite(leaf(3))
        await writer.close()

    run(work())
    assert count(connection) >= 1


def test_a_cancelled_caller_leaves_its_leaf_to_be_written(database_url: str, connection: Connection):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        await writer.open()
        one = asyncio.ensure_future(writer.awrite(leaf(1)))
        await asyncio.sleep(0)
        one.cancel()
        await writer.awrite(leaf(2))
        await writer.close()

    run(work())
    assert count(connection) == 2


def test_nothing_is_written_before_opening_or_after_closing(database_url: str):
    async def work() -> None:
        writer = LeafWriter(database_url, utc_now)
        with pytest.raises(LedgerUnavailable):
            await writer.awrite(leaf())
        await writer.open()
        await writer.close()
        with pytest.raises(LedgerUnavailable):
            await writer.awrite(leaf())

    run(work())
