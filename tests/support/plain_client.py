"""A client that sends what it is told to and nothing else: headers twice, addresses as they stand, lengths that lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from json import loads
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def code(self) -> str:
        """Of the problem; empty where it is none."""
        return self.json()["code"] if self.headers.get("content-type") == "application/problem+json" else ""

    def json(self) -> Any:
        return loads(self.body)


class PlainClient:
    """One connection, kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=30)

    def ask(self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes | None = None) -> Answer:
        """One request, with these headers and those of its body."""
        connection = self._connection
        try:
            connection.putrequest(method, path, skip_host=any(name == "host" for name, _ in headers))
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-type", "application/json")
            if not any(name == "content-length" for name, _ in headers):
                connection.putheader("content-length", str(len(body or b"")))
            connection.endheaders(body)
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        except (HTTPException, OSError):
            connection.close()
            raise

    def close(self) -> None:
        self._connection.close()
