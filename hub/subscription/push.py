"""One POST to a subscriber's address, and nothing more than that: pinned, bounded, without redirects.

``http.client`` over a socket of our own, because the address to connect to, the name TLS verifies and the time in which
all of it must be over are each said here and nowhere else.
"""

import contextlib
import http.client
import math
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.subscription.destination import Allowed, Destination, Resolve, pinned, system_resolve
from hub.subscription.errors import PushFailed, PushStopped

ANSWER_BYTES_MAX: Final = 64 * 1024
CONNECT_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 0.2

Going = Callable[[], bool]
_NO_LINGERING: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the address answered: status, and the beginning of its body."""

    status: int
    body: bytes

    @property
    def acknowledges(self) -> bool:
        """Any 2xx. A redirect does not: it is not followed."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110 §15.3


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes. Threads may share it.

    Args:
        allowed: ports and networks.
        context: of TLS.
        seconds_max: for everything: connecting, sending, answering.
        resolve: names to addresses.
    """

    allowed: Allowed
    context: ssl.SSLContext
    seconds_max: float
    resolve: Resolve = system_resolve

    def post(
        self, destination: Destination, headers: Mapping[str, str], body: bytes, going: Going = lambda: True
    ) -> Answer:
        """Send a body and read the answer.

        Args:
            destination: read, not yet resolved.
            headers: beside Host and Content-Length.
            body: all of it.
            going: asked every ``WATCH_SECONDS`` from another thread; where it says no the connection is torn down there
                and then, and what the system still held of the body is thrown away.

        Raises:
            AddressRefused, AddressUnresolved: nothing was sent.
            PushFailed: it may have arrived.
            PushStopped: ``going`` said no.
        """
        address = pinned(destination, self.allowed, self.resolve)
        connection = _PinnedConnection(destination, address, self.context, self.seconds_max)
        watch = _Watch(connection, self.seconds_max, going)
        try:
            with watch:
                connection.request("POST", destination.target, body, _headers(destination, headers, body))
                answer = connection.getresponse()
                body = answer.read(ANSWER_BYTES_MAX)
            if connection.abandoned:  # http.client takes headers that break off for headers that end
                raise TimeoutError
            return Answer(answer.status, body)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            if watch.stopped:
                raise PushStopped from None
            raise PushFailed("timeout" if connection.abandoned else _problem(problem)) from None
        finally:
            connection.close()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies the peer's name and certificate; ``ca_file`` adds authorities to the system's."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class _PinnedConnection(http.client.HTTPSConnection):
    """Connects to one address, whatever the name says now."""

    def __init__(self, destination: Destination, address: str, context: ssl.SSLContext, seconds_max: float) -> None:
        super().__init__(destination.host, destination.port, timeout=seconds_max, context=context)
        self._address = address
        self._seconds_max = seconds_max
        self._tls = context
        self._plain: socket.socket | None = None
        self.abandoned = False

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), min(CONNECT_SECONDS, self._seconds_max))
        plain.settimeout(self._seconds_max)
        self._plain = plain
        if self.abandoned:
            raise TimeoutError
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def abandon(self) -> None:
        """From another thread: every call that waits on the socket ends, and closing it sends nothing more."""
        self.abandoned = True
        for one in (self.sock, self._plain):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
                    socket.socket.shutdown(one, socket.SHUT_RDWR)  # below TLS, whose own would wait for the peer


class _Watch:
    """Ends a connection whose time is over or that may not go on: a peer that answers a byte at a time too."""

    def __init__(self, connection: _PinnedConnection, seconds_max: float, going: Going) -> None:
        self._connection = connection
        self._ticks = max(1, math.ceil(seconds_max / WATCH_SECONDS))
        self._going = going
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push-watch", daemon=True)
        self.stopped = False

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _run(self) -> None:
        for _ in range(self._ticks):
            if self._over.wait(WATCH_SECONDS):
                return
            if not self._may_go():
                self.stopped = True
                break
        self._connection.abandon()

    def _may_go(self) -> bool:
        try:
            return self._going()
        except Exception:  # noqa: BLE001 - not known is no
            return False


def _headers(destination: Destination, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    own = {"Host": destination.authority, "Content-Length": str(len(body)), "Connection": "close"}
    return {**own, "Accept-Encoding": "identity", "User-Agent": "shuniu-hub", **headers}


def _problem(problem: Exception) -> str:
    """The class alone: the text may repeat what a stranger sent."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(problem, ssl.SSLError):
        return "tls"
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, OSError):
        return "connection"
    return "answer"
