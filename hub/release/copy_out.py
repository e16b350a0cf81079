"""Rows out of PostgreSQL by COPY, passed through as the server wrote them.

The server sends a row a message; libpq hands them over one at a time, and Python only collects them. Waiting happens
on the socket, never inside libpq, where nothing else in the process could run meanwhile.
"""

import select
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from psycopg import Connection, OperationalError, sql
from psycopg.pq import ExecStatus

CHUNK_BYTES: Final = 256 * 1024
WAIT_MILLISECONDS: Final = 100

Look = Callable[[], None]  # raises where the stream must end


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole rows."""

    content: bytes
    rows: int


def copied(conn: Connection, statement: sql.Composed | bytes, look: Look) -> Generator[Chunk]:
    """The rows of a COPY … TO STDOUT, in chunks; ``look`` is called between them and while waiting.

    Where it is left early, by ``look`` or by closing the generator, the copy is cancelled and drained: the connection
    is then either ready for the next statement or broken, never in the middle of this one.
    """
    connection = conn.pgconn
    take, waiting = connection.get_copy_data, select.poll()
    waiting.register(connection.socket, select.POLLIN)
    with conn.cursor() as cursor, cursor.copy(statement):
        # One buffer: rows kept one by one would have the allocator ask the system for memory all the time.
        rows, held = 0, bytearray()
        while True:
            length, row = take(1)
            if length > 0:
                held += row
                rows += 1
                if len(held) < CHUNK_BYTES:
                    continue
                yield Chunk(bytes(held), rows)
                rows = 0
                held.clear()
                look()
            elif length == 0:
                look()
                waiting.poll(WAIT_MILLISECONDS)
                connection.consume_input()
            else:
                break
        _end(conn)
        if held:
            yield Chunk(bytes(held), rows)


def _end(conn: Connection) -> None:
    """Read how it ended; nothing but that is left to come."""
    failed = False
    while (result := conn.pgconn.get_result()) is not None:
        failed = failed or result.status != ExecStatus.COMMAND_OK
    if failed:
        raise OperationalError("the copy broke off")
