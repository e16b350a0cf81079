"""Where the private cluster listens, kept in ``server.json``, and the passwords of its roles, kept in ``password``."""

import json
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.store.errors import ClusterBroken

PORT_IN_SOCKET_NAME = 5432
SOCKET_PATH_BYTES_MAX = 100  # 107 on Linux, 103 on macOS
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """A socket's folder, or the loopback with a port."""

    host: str
    port: int

    @property
    def settings(self) -> dict[str, str]:
        """What makes PostgreSQL listen there and nowhere else."""
        on_socket = self.host != LOOPBACK
        return {
            "listen_addresses": "" if on_socket else self.host,
            "unix_socket_directories": "../socket" if on_socket else "",  # from the data folder, see server.py
            "port": str(self.port),
        }


def choose_address(folder: Path, *, on_port: bool = False) -> Address:
    """A socket in the cluster's folder; where its path would be too long, or a port is asked for, a free port of the
    loopback, the one before if possible.
    """
    socket_folder = folder / "socket"
    longest = socket_folder / f".s.PGSQL.{PORT_IN_SOCKET_NAME}"
    if not on_port and len(os.fsencode(longest)) <= SOCKET_PATH_BYTES_MAX:
        return Address(str(socket_folder), PORT_IN_SOCKET_NAME)
    before = read_address(folder)
    if before is not None and before.host == LOOPBACK and free_port(before.port):
        return before
    return Address(LOOPBACK, free_port(0))


def read_address(folder: Path) -> Address | None:
    """Where the cluster listens, or listened last; None where it was never started."""
    try:
        read = json.loads((folder / "server.json").read_text())
        return Address(str(read["host"]), int(read["port"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterBroken(folder=str(folder), problem="server.json cannot be read") from error


def write_address(folder: Path, address: Address) -> None:
    """Keep the address for those who connect."""
    _write_private(folder / "server.json", json.dumps(asdict(address)) + "\n")


def make_passwords(folder: Path, roles: Iterable[str]) -> None:
    """A new random password for each role, in libpq's own format."""
    _write_private(folder / "password", "".join(f"*:*:*:{role}:{secrets.token_urlsafe(32)}\n" for role in roles))


def read_password(folder: Path, role: str) -> str:
    """A role's password."""
    try:
        lines = (folder / "password").read_text().splitlines()
    except FileNotFoundError as error:
        raise ClusterBroken(folder=str(folder), problem="its password file is missing; put it back") from error
    for line in lines:
        if line.startswith(f"*:*:*:{role}:"):
            return line.rsplit(":", maxsplit=1)[1]
    raise ClusterBroken(folder=str(folder), problem=f"its password file does not name {role}")


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by the owner alone."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def free_port(port: int) -> int:
    """A port of the loopback, or any for 0; 0 where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does: fading connections are no use
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])
