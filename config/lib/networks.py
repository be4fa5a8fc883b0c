"""Where names and addresses lead: whether packets stay in a network of our own, however these are written."""

import ipaddress
import socket
import threading
from concurrent.futures import Future
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# https://www.rfc-editor.org/rfc/rfc6052#section-2.1
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# What Python takes for global, and is not: https://www.iana.org/assignments/iana-ipv4-special-registry
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))
# Beyond it nothing is given out: https://www.iana.org/assignments/ipv6-address-space
_ALLOCATED = ipaddress.ip_network("2000::/3")
# Where clouds tell a machine its secrets, apart from 169.254.0.0/16: AWS, Google, Alibaba, Oracle, Azure.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
# In seconds: long enough for the resolver to ask a second time, which it does after 5 (resolv.conf(5)).
LOOKUP_TIMEOUT = 7.0


_LONGEST_ADDRESS = 100


def may_reach(address: Address, *, private_too: bool = False) -> bool:
    """
    Return whether requests to an address are allowed: to a public one, or with `private_too` others.

    What only this machine's own network segment has, never, and neither a cloud's metadata.
    """
    return all(_may_reach(one, private_too=private_too) for one in _meant(address))


def parsed(host: str) -> Address:
    """
    Read an address as the resolver gives it.

    :raises ValueError: if it is none
    """
    return ipaddress.ip_address(host.partition("%")[0])


def rate_limit_key(host: str) -> str:
    """Return the key to rate-limit by: the IPv4 address, or the /64 prefix of an IPv6 address."""
    # A client may send anything as an address; no address is longer.
    return _household(host[:_LONGEST_ADDRESS])


@lru_cache(maxsize=2000)
def _household(host: str) -> str:
    try:
        address = parsed(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed, 64), strict=False))


def _may_reach(address: Address, *, private_too: bool) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA:
        return False
    return private_too or _is_public(address)


def _is_public(address: Address) -> bool:
    is_allocated = address.version == 4 or address in _ALLOCATED or address in _NAT64
    return is_allocated and address.is_global and not any(address in network for network in _SPECIAL)


def _meant(address: Address) -> list[Address]:
    """Return an address and those embedded in it, to one of which a packet may be routed in the end."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    # The loopback and unspecified addresses look like wrapped ones.
    if address.is_loopback or address.is_unspecified:
        return [address]
    last = ipaddress.IPv4Address(address.packed[-4:])
    wrapped: list[Address | None] = [address.sixtofour, *(address.teredo or ())]
    if address.ipv4_mapped:
        return [last]
    if address in _NAT64 or address in _COMPATIBLE:
        wrapped.append(last)
    return [address, *(one for one in wrapped if one is not None)]


def look_up(host: str, port: int, *, timeout: float) -> list[tuple[str, int]]:
    """
    Return the addresses of a host, each with the port, looked up by a thread of its own.

    A name server that does not answer holds the resolver for as long as its configuration says, half a minute
    and more (resolv.conf(5)). The thread is then left behind, and ends when the resolver gives up.

    :raises TimeoutError: if there is no answer within `timeout` seconds
    :raises OSError: if the host has no addresses
    """
    addresses: Future[list[tuple[str, int]]] = Future()

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses.set_result([(str(address[0]), int(address[1])) for *_, address in answers])
        except Exception as error:  # noqa: BLE001  (raised where it is waited for)
            addresses.set_exception(error)

    threading.Thread(target=resolve, name="name-lookup", daemon=True).start()
    return addresses.result(timeout)
