"""Which destinations the enclave may reach through the parent, each matched exactly."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from proxy.addresses import Network, is_permitted
from strongroom.transport.egress import check_port, split_destination


class Forbidden(Exception):
    """The destination, or the address that it resolved to, may not be reached."""


@dataclass(frozen=True)
class Pin:
    """An address given by the operator: used as it is, without resolving and without further judgement."""

    address: str
    port: int


@dataclass(frozen=True)
class Rule:
    """One allowed destination."""

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
    """The rules, one for a destination, and the private networks in which an allowed name may live."""

    rules: tuple[Rule, ...]
    private_networks: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError when two rules name one destination: which pin holds must not follow from their order."""
        if len({(rule.host, rule.port) for rule in self.rules}) < len(self.rules):
            raise ValueError("egress rules: expected each destination once, got one of them twice")

    def find(self, host: str, port: int) -> Rule:
        """The rule for exactly this destination. Raises Forbidden."""
        for rule in self.rules:
            if (rule.host, rule.port) == (host, port):
                return rule
        raise Forbidden("expected a destination of the allow-list, got another")

    def permitted(self, addresses: Iterable[str]) -> list[str]:
        """The addresses that an allowed name may resolve to, in their order. Raises Forbidden when none is."""
        permitted = [text for text in addresses if is_permitted(ip_address(text), self.private_networks)]
        if not permitted:
            raise Forbidden("expected a public address or one of an allowed private network, got another")
        return permitted


def parse_endpoint(text: str) -> tuple[str, str]:
    """The address and the port, still a word, of `ADDRESS:PORT` with an IPv4 or [IPv6] address; raise ValueError."""
    address, _, port = text.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    try:
        written = f"[{bare}]" if ip_address(bare).version == 6 else bare
    except ValueError:
        written = None
    if address != written:
        raise ValueError("egress: expected ADDRESS:PORT with an IPv4 or [IPv6] address, got something else")
    return bare, port


def _pin(text: str) -> Pin:
    address, port = parse_endpoint(text)
    return Pin(address, check_port(address, port))
