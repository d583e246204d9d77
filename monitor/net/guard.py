"""Which addresses we connect to: asked right before every connect, whatever a name resolved to.

It is the connector's socket factory, not a resolver: that is never asked for a literal address, and
between its answer and the connect a name may come to lead elsewhere (DNS rebinding).
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from aiohttp import AddrInfoType

_PRIVATE: Final = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
)
"""Opened by `allow_private`."""

_NEVER: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "169.254.0.0/16",  # link-local, most clouds' metadata
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",
        "240.0.0.0/4",
        "64:ff9b:1::/48",  # NAT64 of a network's own: an IPv4 address somewhere in it
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fd00:ec2::254/128",  # Amazon's metadata
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""Opened by nothing."""


_NAT64: Final = ip_network("64:ff9b::/96")
"""How a host without IPv4 reaches one: its address is in the last four bytes (RFC 6052, 2.1)."""


class AddressForbiddenError(OSError):
    """Refuse a connect; an OSError, so that the other addresses of a name are still tried.

    The text is always the same: then the connector passes this very error on when it met several.
    """

    def __init__(self) -> None:
        super().__init__("the address is forbidden")


def forbidden(address: str, *, allow_private: bool) -> bool:
    """Return whether an IP address must not be connected to; what is none is forbidden too.

    Whatever is neither private nor on the list must be global: that leaves out the reserved,
    documentation and benchmark networks.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(ip, IPv6Address):
        ip = _embedded(ip) or ip
    if any(ip in network for network in _NEVER):
        return True
    if any(ip in network for network in _PRIVATE):
        return not allow_private
    return ip.is_reserved or not ip.is_global


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if it does."""
    return IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else ip.ipv4_mapped


def socket_factory(*, allow_private: bool) -> Callable[[AddrInfoType], socket.socket]:
    """Return what opens a connector's sockets; it raises AddressForbiddenError instead."""

    def open_socket(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if forbidden(str(address[0]), allow_private=allow_private):
            raise AddressForbiddenError
        return socket.socket(family, kind, protocol)

    return open_socket
