"""Lines to the store: what is sent on one arrives as it is sent by any other connection."""

import asyncio

import pytest

from hub.release.lines import Lines
from hub.release.select import Statement
from hub.store.connect import connect


@pytest.mark.parametrize(
    "key",
    [bytes(range(256)), b"'" * 32, b"\\" * 32, b"it's" * 8, bytes(32), "文".encode()],
    ids=["every byte", "quotes", "backslashes", "a quote in it", "zeros", "text"],
)
def test_a_keys_bytes_arrive_as_they_are(shared_database_url: str, key: bytes):
    # Keys of references and pseudonyms are random: one byte changed on its way, and nobody can open what is made.
    async def arrived() -> list[bytes]:
        lines = Lines(lambda: connect(shared_database_url, "test", autocommit=True), 1)
        await lines.open()
        try:
            statement = Statement("SELECT encode(%(key)s::bytea, 'hex')", {"key": key})
            results = [await lines.run(statement) for _ in range(2)]  # being prepared, and prepared
            return [bytes.fromhex((one.get_value(0, 0) or b"").decode()) for one in results]
        finally:
            await lines.close()

    assert asyncio.run(arrived()) == [key, key]
