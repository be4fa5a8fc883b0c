"""Where an address leads: whether a packet to it stays in a network of our own, however it is written."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# https://www.rfc-editor.org/rfc/rfc6052#section-2.1
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def may_reach(address: Address, *, private_too: bool = False) -> bool:
    """
    Tell whether somebody from outside may send us to an address: a public one, or with `private_too` others.

    What only this machine's own network segment has, such as a cloud's metadata, never.
    """
    return all(_may_reach(one, private_too=private_too) for one in _meant(address))


def parsed(host: str) -> Address:
    """
    Read an address as the resolver gives it.

    :raises ValueError: if it is none
    """
    return ipaddress.ip_address(host.partition("%")[0])


def _may_reach(address: Address, *, private_too: bool) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or private_too


def _meant(address: Address) -> list[Address]:
    """Give an address and those that are wrapped in it, to one of which a packet may go in the end."""
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
