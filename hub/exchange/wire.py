"""Messages on the pipes between a worker and its decoding child: a JSON header, then raw parts, each with its length.

Neither side unpickles anything, and neither allocates more than it was told to expect.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

HEADER_BYTES_MAX: Final = 1024 * 1024
PARTS_MAX: Final = 16
_LENGTH: Final = struct.Struct(">I")


class WireError(Exception):
    """The other side broke off in the middle, or said what it may not."""


class Readable(Protocol):
    """A blocking stream whose ``read`` gives fewer bytes than asked only at its end."""

    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    """A blocking stream without a buffer: ``write`` says how much it took."""

    def write(self, data: memoryview, /) -> int | None: ...


def write_message(stream: Writable, header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Write one message; blocks until the other side has taken it."""
    text = json.dumps({**header, "parts": [len(part) for part in parts]}).encode()
    _write_all(stream, _LENGTH.pack(len(text)) + text)
    for part in parts:
        _write_all(stream, _LENGTH.pack(len(part)))
        _write_all(stream, part)


def read_message(stream: Readable, bytes_max: int) -> tuple[dict[str, Any], list[bytes]] | None:
    """Read one message; None at the end of the stream.

    Raises:
        WireError: the message breaks off, or its parts are together longer than ``bytes_max``.
    """
    prefix = stream.read(_LENGTH.size)
    if not prefix:
        return None
    try:
        header = json.loads(_read_exactly(stream, _length(prefix, HEADER_BYTES_MAX)))
        lengths = header["parts"]
        if len(lengths) > PARTS_MAX or sum(lengths) > bytes_max:
            raise WireError("parts too long")
        parts = [
            _read_exactly(stream, _length(_read_exactly(stream, _LENGTH.size), length, exactly=True))
            for length in lengths
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError("no message") from error
    return header, parts


def _length(prefix: bytes, most: int, *, exactly: bool = False) -> int:
    if len(prefix) != _LENGTH.size:
        raise WireError("broke off")
    length = int(_LENGTH.unpack(prefix)[0])
    if length > most or (exactly and length != most):
        raise WireError("length")
    return length


def _read_exactly(stream: Readable, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise WireError("broke off")
    return content


def _write_all(stream: Writable, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]
