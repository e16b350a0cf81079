"""Where nothing is pushed to (security §4, case 38), as a table; and what is."""

import socket
from ipaddress import ip_address, ip_network

import pytest

from hub.subscription.destination import Allowed, may_connect, pinned, read_destination
from hub.subscription.errors import AddressRefused, AddressUnresolved

PUBLIC = Allowed(ports=frozenset({443, 8443}))
PROVINCE = Allowed(ports=frozenset({443}), networks=(ip_network("10.42.0.0/16"), ip_network("127.0.0.0/8")))

# Refused as it is read, before anything is looked up.
REFUSED = {
    "http": "http://example.com/",
    "gopher": "gopher://example.com/",
    "file": "file:///etc/passwd",
    "no scheme": "//example.com/",
    "http in capitals": "HTTP://example.com/",
    "port of PostgreSQL": "https://example.com:5432/",
    "port of ssh": "https://example.com:22/",
    "port 0": "https://example.com:0/",
    "port out of range": "https://example.com:99999/",
    "port no number": "https://example.com:https/",
    "port empty": "https://example.com:/",
    "user": "https://user@example.com/",
    "user and password": "https://user:secret@example.com/",
    "user that looks like the host": "https://example.com@127.0.0.1/",
    "fragment": "https://example.com/#x",
    "empty fragment": "https://example.com/#",
    "no host": "https:///x",
    "loopback": "https://127.0.0.1/",
    "another loopback": "https://127.8.8.8/",
    "loopback, short": "https://127.1/",
    "zero": "https://0/",
    "unspecified": "https://0.0.0.0/",
    "decimal": "https://2130706433/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal parts": "https://0x7f.0.0.1/",
    "octal parts": "https://0177.0.0.1/",
    "octal": "https://017700000001/",
    "leading zeros": "https://127.000.000.001/",
    "a final dot": "https://127.0.0.1./",
    "a name that ends in a number": "https://example.127/",
    "private 10": "https://10.0.0.1/",
    "private 172": "https://172.16.0.1/",
    "private 192": "https://192.168.1.1/",
    "carrier": "https://100.64.0.1/",
    "link-local": "https://169.254.1.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "multicast": "https://224.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "reserved": "https://240.0.0.1/",
    "documentation": "https://192.0.2.1/",
    "benchmark": "https://198.18.0.1/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv4-mapped": "https://[::ffff:127.0.0.1]/",
    "IPv4-mapped, of a public address": "https://[::ffff:8.8.8.8]/",
    "IPv4-mapped in hexadecimal": "https://[::ffff:7f00:1]/",
    "IPv4-compatible": "https://[::127.0.0.1]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "Teredo": "https://[2001:0:7f00:1::]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "IPv6 with a zone": "https://[fe80::1%25eth0]/",
    "IPv6 private": "https://[fd00::1]/",
    "IPv6 multicast": "https://[ff02::1]/",
    "space": "https://example.com/a b",
    "line feed": "https://example.com/\r\nX: y",
    "tabulator in the host": "https://exa\tmple.com/",
    "backslash": "https://example.com\\@127.0.0.1/",
    "NUL": "https://example.com/\0",
    "full-width": "https://ｅxample.com/",
    "full-width digits": "https://１27.0.0.1/",
    "ideographic dot": "https://127。0。0。1/",
    "percent in the host": "https://%31%32%37.0.0.1/",
    "underscore": "https://a_b.example.com/",
    "a hyphen first": "https://-a.example.com/",
    "an empty label": "https://a..example.com/",
    "too long": "https://example.com/" + "a" * 2000,
}


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED)
def test_what_strangers_write_is_refused_before_anything_is_looked_up(address: str):
    with pytest.raises(AddressRefused):
        read_destination(address, PUBLIC)


@pytest.mark.parametrize(
    ("address", "host", "port", "target", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("https://Example.COM/Hook?a=1&b=2", "example.com", 443, "/Hook?a=1&b=2", "example.com"),
        (
            "https://xn--fsq.xn--0zwm56d:8443/%E4%B8%80",
            "xn--fsq.xn--0zwm56d",
            8443,
            "/%E4%B8%80",
            "xn--fsq.xn--0zwm56d:8443",
        ),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2a00:1450::1]:8443/", "2a00:1450::1", 8443, "/", "[2a00:1450::1]:8443"),
    ],
)
def test_what_is_public_is_taken_apart(address: str, host: str, port: int, target: str, authority: str):
    found = read_destination(address, PUBLIC)
    assert (found.host, found.port, found.target, found.authority) == (host, port, target, authority)


RESOLVED = {
    "loopback": ["127.0.0.1"],
    "private behind a public one": ["8.8.8.8", "10.0.0.1"],
    "metadata": ["169.254.169.254"],
    "mapped": ["::ffff:10.0.0.1"],
    "link-local with a zone": ["fe80::1%eth0"],
    "IPv6 loopback after IPv4": ["8.8.8.8", "::1"],
    "zero": ["0.0.0.0"],  # noqa: S104 - not bound to
}


@pytest.mark.parametrize("addresses", RESOLVED.values(), ids=RESOLVED)
def test_a_name_is_refused_if_any_of_its_addresses_is(addresses: list[str]):
    destination = read_destination("https://hooks.example.com/", PUBLIC)
    with pytest.raises(AddressRefused):
        pinned(destination, PUBLIC, lambda _host, _port: addresses)


def test_a_name_is_resolved_once_and_pinned():
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    destination = read_destination("https://hooks.example.com/", PUBLIC)
    assert pinned(destination, PUBLIC, rebinding) == "8.8.8.8"
    assert asked == ["hooks.example.com"]
    with pytest.raises(AddressRefused):
        pinned(destination, PUBLIC, rebinding)


@pytest.mark.parametrize("answer", [[], ["no address"]])
def test_a_name_without_an_address_is_not_resolved(answer: list[str]):
    destination = read_destination("https://hooks.example.com/", PUBLIC)
    with pytest.raises(AddressUnresolved):
        pinned(destination, PUBLIC, lambda _host, _port: answer)


def test_a_resolver_that_fails_is_a_name_that_does_not_resolve():
    def failing(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(AddressUnresolved):
        pinned(read_destination("https://hooks.example.com/", PUBLIC), PUBLIC, failing)


OWN_NETWORK = {
    "10.42.1.1": True,
    "10.43.1.1": False,
    "127.0.0.1": True,
    "8.8.8.8": True,
    "169.254.169.254": False,
    "::ffff:10.42.1.1": False,
}


@pytest.mark.parametrize("address", OWN_NETWORK)
def test_the_governments_own_network_opens_itself_alone(address: str):
    assert may_connect(ip_address(address), PROVINCE.networks) is OWN_NETWORK[address]


def test_an_allowed_network_does_not_open_other_ways_of_writing_it():
    for address in ("https://2130706433/", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/"):
        with pytest.raises(AddressRefused):
            read_destination(address, PROVINCE)
    assert read_destination("https://127.0.0.1/", PROVINCE).host == "127.0.0.1"
