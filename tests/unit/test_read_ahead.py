"""Parts of an export read ahead of who sends them: in order, bounded, and over when nobody takes them."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from psycopg import OperationalError

from hub.release import read_ahead
from hub.release.copy_out import Chunk
from hub.release.read_ahead import Boundary, ReadAhead, StreamCut

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Parts:
    """Three parts of four chunks each, as a writer makes them; it may fail in one, or wait before the first."""

    def __init__(self, size: int = 10, fails_in: int | None = None, waits_for: threading.Event | None = None) -> None:
        self.size, self.fails_in, self.waits_for = size, fails_in, waits_for
        self.made = 0
        self.closed = threading.Event()

    def part(self, _conn: object, _compiled: object, after: tuple[str] | None, *_: object) -> Iterator[Chunk]:
        number = 0 if after is None else int(after[0])
        if self.waits_for is not None:
            self.waits_for.wait(5)
        for chunk in range(4):
            if self.fails_in == number and chunk == 2:
                raise OperationalError("gone")
            self.made += 1
            yield Chunk(f"{number}.{chunk}".encode().ljust(self.size), 1)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "PIECE_BYTES", 1)  # nothing is joined
    monkeypatch.setattr(read_ahead, "bound_after", lambda *given: _following(given[2]))


def _following(after: tuple[str] | None) -> tuple[str] | None:
    number = 0 if after is None else int(after[0])
    return (str(number + 1),) if number < 2 else None


def reading(parts: Parts, seconds: float = 5) -> ReadAhead:
    made: Any = parts
    return ReadAhead(lambda: made, made, lambda: cast("Any", None), NOW, None, seconds)


def nothing() -> None:
    pass


def test_chunks_and_boundaries_come_in_order():
    with reading(Parts()) as ahead:
        found = list(ahead.pieces(nothing))
    told = [one.key[0] if isinstance(one, Boundary) else one.content.decode().strip() for one in found]
    first, second, third = ([f"{number}.{chunk}" for chunk in range(4)] for number in range(3))
    assert told == [*first, "1", *second, "2", *third]


def test_chunks_that_wait_are_joined_and_never_over_a_boundary(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_ahead, "PIECE_BYTES", 1000)
    with reading(Parts()) as ahead:
        found = [one.content.split() for one in ahead.pieces(nothing) if isinstance(one, Chunk)]
    assert found == [[f"{number}.{chunk}".encode() for chunk in range(4)] for number in range(3)]


def test_what_fails_is_told_after_what_was_read_until_then():
    found: list[bytes] = []
    with pytest.raises(OperationalError), reading(Parts(fails_in=1)) as ahead:
        found.extend(one.content.strip() for one in ahead.pieces(nothing) if isinstance(one, Chunk))
    assert found == [b"0.0", b"0.1", b"0.2", b"0.3", b"1.0", b"1.1"]


def test_no_more_is_read_than_may_be_held_and_leaving_ends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_ahead, "HELD_BYTES_MAX", 30)
    monkeypatch.setattr(read_ahead, "PART_BYTES", 10)
    parts = Parts()
    with reading(parts) as ahead:
        assert isinstance(next(ahead.pieces(nothing)), Chunk)
        assert not parts.closed.wait(0.5)  # it waits for room
        assert parts.made <= 6  # one was taken, three fit, one over the brim, one in its hand
    assert parts.closed.is_set()


def test_a_part_that_waits_too_long_for_its_reader_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_ahead, "HELD_BYTES_MAX", 15)
    monkeypatch.setattr(read_ahead, "PART_BYTES", 5)
    parts = Parts()
    with reading(parts, seconds=0.1) as ahead:
        assert parts.closed.wait(5)  # read by nobody
        with pytest.raises(StreamCut) as cut:
            list(ahead.pieces(nothing))
    assert cut.value.why == "slow"


def test_who_waits_looks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_ahead, "LOOK_SECONDS", 0.01)
    release = threading.Event()

    def look() -> None:
        release.set()
        raise StreamCut("policy")

    with reading(Parts(waits_for=release)) as ahead, pytest.raises(StreamCut):
        list(ahead.pieces(look))
