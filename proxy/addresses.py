"""Which addresses a name may lead to: nothing of the parent itself, nothing inside that the operator did not open."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER = (
    ip_network("0.0.0.0/8"),  # "this host on this network", RFC 1122 section 3.2.1.3
    ip_network("fd00:ec2::/32"),  # services of the instance (EC2 user guide, "Link-local and local addresses")
    # Forms that carry an IPv4 address:
    ip_network("::/8"),  # compatible, mapped, translated, NAT64
    ip_network("2001::/32"),  # Teredo
    ip_network("2002::/16"),  # 6to4
)
_ISATAP = 0x5EFE  # RFC 5214 section 6.1: interface identifier (0000|0200):5EFE:a.b.c.d
_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291 section 2.4, as assigned by IANA


def is_permitted(address: Address, private_networks: Iterable[Network]) -> bool:
    """Whether a resolved name may lead to `address`: a public one, or one within `private_networks`.

    Loopback, link-local, metadata, multicast, reserved and IPv4-carrying addresses are not, within any network.
    """
    if _is_never_permitted(address):
        return False
    return _is_public(address) or any(address in network for network in private_networks)


def _is_never_permitted(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or any(address in network for network in _NEVER)
        or (address.version == 6 and int(address) >> 32 & 0xFDFF_FFFF == _ISATAP)
    )


def _is_public(address: Address) -> bool:
    # Python calls fec0::/10 and the unassigned parts of IPv6 global as well.
    return address.is_global and (address.version == 4 or address in _GLOBAL_UNICAST)
