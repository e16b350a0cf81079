"""Where changes may be pushed to: an address strangers gave, so nothing of it is trusted.

Only https, only allowed ports, no user in it. Its name is resolved once, every address it has must be one the hub may
connect to, and the connection goes to exactly the address that was looked at: a name that answers differently the next
time (DNS rebinding) gains nothing. What is not a public address is refused, in whatever way it is written, unless a
network of ``HUB_PUSH_NETWORKS_ALLOWED`` has it (the government's own).
"""

import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from hub.subscription.errors import AddressRefused, AddressUnresolved

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

CHARACTERS_MAX: Final = 2_000
HOST_CHARACTERS_MAX: Final = 253
# A name whose last part is a number, or looks like one in C's notation, is read as an IPv4 address by some (RFC 3986
# §7.4, the URL standard's "ends in a number"): 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
_NUMERIC: Final = re.compile(r"(.*\.)?(\d+|0[xX][0-9a-fA-F]*)\.?")
_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_FORBIDDEN_CHARACTERS: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
# Forms of IPv6 that carry an IPv4 address which the packet may end at.
_CARRIERS: Final = tuple(
    ip_network(text) for text in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the settings allow.

    Args:
        ports: of addresses.
        networks: which are connected to although they are not public.
    """

    ports: Collection[int]
    networks: Sequence[Network] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """An address as it was given, taken apart.

    Args:
        host: a name or an address, as TLS and the Host header say it.
        port: 443 unless another was given.
        target: path and query, as the request line says it.
    """

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"  # noqa: PLR2004 - https


def read_destination(address: str, allowed: Allowed) -> Destination:
    """Take an address apart; looks nothing up.

    Raises:
        AddressRefused: it is malformed, or of a kind that is not connected to.
    """
    if len(address) > CHARACTERS_MAX or _FORBIDDEN_CHARACTERS.search(address):
        raise _refused("characters", "含有不允许的字符或过长", "it is too long or holds characters no address has")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _refused("form", "不是合法的地址", "it cannot be read") from None
    if parts.scheme != "https":
        raise _refused("scheme", "须以 https:// 开头", "it must begin with https://")
    if "@" in parts.netloc or parts.fragment or "#" in address:
        raise _refused("user", "不得含有用户名、口令或片段", "it may hold no user, password or fragment")
    host = parts.hostname or ""
    if parts.netloc.endswith(":"):
        raise _refused("port", "端口为空", "its port is empty")
    port = 443 if port is None else port
    if port not in allowed.ports:
        ports = ", ".join(map(str, sorted(allowed.ports)))
        raise _refused("port", f"端口须为 {ports}", f"its port must be one of {ports}")
    _check_host(host, allowed)
    path = parts.path or "/"
    return Destination(host, port, path + (f"?{parts.query}" if parts.query else ""))


def _check_host(host: str, allowed: Allowed) -> None:
    literal = _literal(host)
    if literal is not None:
        _check_address(literal, allowed)
        return
    if _NUMERIC.fullmatch(host):
        raise _refused(
            "host", "主机须为域名或标准写法的 IP 地址", "its host must be a name, or an IP address as usually written"
        )
    if len(host) > HOST_CHARACTERS_MAX or not _NAME.fullmatch(host):
        raise _refused(
            "host", "主机名不合规则(非 ASCII 域名请写作 xn--)", "its host is no name; write others in xn-- form"
        )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)  # takes four decimal parts without leading zeros, and IPv6
    except ValueError:
        return None


# Looking up ----------------------------------------------------------------------------------------------------------


def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def pinned(destination: Destination, allowed: Allowed, resolve: Resolve) -> str:
    """The one IP address to connect to. Every address the name has must be allowed, not merely the one taken.

    Raises:
        AddressUnresolved: the name has none.
        AddressRefused: one of them is not connected to.
    """
    literal = _literal(destination.host)
    try:
        found = [str(literal)] if literal is not None else resolve(destination.host, destination.port)
        addresses = [ip_address(text) for text in found]
    except (OSError, ValueError, UnicodeError):
        raise AddressUnresolved from None
    if not addresses:
        raise AddressUnresolved
    for address in addresses:
        _check_address(address, allowed)
    return str(addresses[0])


def _check_address(address: Address, allowed: Allowed) -> None:
    if not may_connect(address, allowed.networks):
        raise _refused("network", "指向不允许推送的网络", "it leads into a network that nothing is pushed into")


def may_connect(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the hub connects to an IP address: public ones, and those of the networks given."""
    if getattr(address, "scope_id", None) is not None:
        return False
    if any(address in network for network in _CARRIERS):
        return False
    if any(address in network for network in networks):
        return True
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _refused(rule: str, zh: str, en: str) -> AddressRefused:
    return AddressRefused(rule, zh, en)
