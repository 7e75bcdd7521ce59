"""Which destinations the enclave may reach through the parent, and which addresses no name may lead to."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from strongroom.transport.egress import check_port, split_destination

Network = IPv4Network | IPv6Network

# Services of the instance itself: metadata, DNS and time (EC2 user guide, "Link-local and local addresses").
_INSTANCE_SERVICES = ip_network("fd00:ec2::/32")
_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291 section 2.4, as assigned by IANA
# IPv6 forms that carry an IPv4 address: mapped, NAT64, 6to4, Teredo, and the deprecated compatible form.
_EMBEDDING = tuple(
    map(ip_network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
)


class Forbidden(Exception):
    """The destination, or the address that it resolved to, may not be reached."""


@dataclass(frozen=True)
class Pin:
    """An address given by the operator: used as it is, without resolving and without further judgement."""

    address: str
    port: int


@dataclass(frozen=True)
class Rule:
    """One allowed destination, matched exactly."""

    host: str
    port: int
    pin: Pin | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`HOST:PORT`, or `HOST:PORT=ADDRESS:PORT` with an IPv4 or [IPv6] address; raise ValueError."""
        destination, equals, pin = text.partition("=")
        host, port = split_destination(destination)
        return cls(host, port, _pin(pin) if equals else None)


@dataclass(frozen=True)
class AllowList:
    """The rules, and the private networks in which an allowed name may live."""

    rules: tuple[Rule, ...]
    private_networks: tuple[Network, ...] = ()

    def find(self, host: str, port: int) -> Rule:
        """The rule for exactly this destination. Raises Forbidden."""
        for rule in self.rules:
            if (rule.host, rule.port) == (host, port):
                return rule
        raise Forbidden("expected a destination of the allow-list, got another")

    def permitted(self, addresses: Iterable[str]) -> list[str]:
        """The addresses that an allowed name may resolve to, in their order. Raises Forbidden when none is."""
        permitted = [address for address in addresses if self._permits(address)]
        if not permitted:
            raise Forbidden("expected a public address or one of an allowed private network, got another")
        return permitted

    def _permits(self, text: str) -> bool:
        address = ip_address(text)
        never = (
            address.is_loopback
            or address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or address.is_reserved
            or address in _INSTANCE_SERVICES
            or (isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING))
        )
        return not never and (_is_public(address) or any(address in network for network in self.private_networks))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    # Python calls fec0::/10 and the unassigned parts of IPv6 global as well.
    return address.is_global and (address.version == 4 or address in _GLOBAL_UNICAST)


def _pin(text: str) -> Pin:
    address, _, port = text.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    try:
        written = f"[{bare}]" if ip_address(bare).version == 6 else bare
    except ValueError:
        written = None
    if address != written:
        raise ValueError("egress rule: expected HOST:PORT=ADDRESS:PORT with an IPv4 or [IPv6] address after the =")
    return Pin(bare, check_port(address, port))
