"""The address the HTTP door listens on, taken before anything is started for it."""

import ipaddress
import socket
from collections.abc import Generator
from contextlib import contextmanager

from hub.errors import SettingWrong
from hub.settings import Settings


@contextmanager
def bound_socket(settings: Settings) -> Generator[socket.socket]:
    """The door's address, taken before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingWrong(setting="HUB_PORT", problem=f"{where}: {error.strerror or error}") from error
    with listening:
        yield listening


def listening_at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings with the port that was taken, where 0 asked for a free one."""
    return settings.model_copy(update={"port": listening.getsockname()[1]})


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
