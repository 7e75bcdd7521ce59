"""The proxy's arguments: one parser, whether it is started as `strongroom proxy` or as `python -m proxy`."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NoReturn, TypeVar

from proxy.egress import EgressLimits
from proxy.rules import AllowList, Rule, parse_endpoint
from strongroom.transport.addresses import Address, parse_address
from strongroom.transport.egress import check_port

_MAX_CONNECTIONS = 1 << 16
_MAX_TIMEOUT_S = 86400.0
_DECIMAL = re.compile(r"[0-9]{1,9}")
_DEFAULT = EgressLimits()
_DESCRIPTION = "Connect the enclave to the listed destinations and to nothing else; TLS ends in the enclave."
_EXAMPLES = """\
Examples:
  {prog} --listen vsock:any:7004 --allow kms.eu-west-1.amazonaws.com:443
  {prog} --listen vsock:any:7004 --allow kms.eu-west-1.amazonaws.com:443 \\
      --allow-private 10.0.7.0/24 --metrics 127.0.0.1:9104      (a VPC endpoint; Prometheus)
  {prog} --listen unix:proxy.sock --allow kms.us-east-1.amazonaws.com:443=127.0.0.1:8443

Names are resolved anew for every connection. Loopback, link-local and metadata addresses are refused after resolution,
within every --allow-private too; an address after = is the operator's word and is dialled as it is.
Events go to standard output, one JSON object a line. Ends with 0 at SIGTERM or SIGINT, with 2 on wrong arguments.
"""

_T = TypeVar("_T")


class UsageError(Exception):
    """An argument that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Arguments:
    """What the proxy was started with."""

    listen: Address
    allow_list: AllowList
    limits: EgressLimits
    metrics: tuple[str, int] | None
    """Loopback address and TCP port of the metrics, 0 for a free one."""


def parse(argv: Sequence[str], prog: str) -> Arguments:
    """Raise UsageError; print the help of a program called `prog` and raise SystemExit(0) when asked for it."""
    given = _parser(prog).parse_args(argv)
    try:
        allow_list = AllowList(tuple(given.allow), tuple(given.allow_private))
    except ValueError as error:
        raise UsageError(str(error)) from None
    limits = EgressLimits(
        max_connections=given.max_connections,
        idle_timeout_s=given.idle_timeout,
        total_timeout_s=given.total_timeout,
    )
    return Arguments(given.listen, allow_list, limits, given.metrics)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message))


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        description=_DESCRIPTION,
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_destinations(parser)
    _add_limits(parser)
    parser.add_argument(
        "--metrics", type=_typed(_metrics), metavar="HOST:PORT", help="Prometheus text on this loopback address"
    )
    parser.add_argument("--json", action="store_true", help="print a failure as JSON, too; events always are JSON")
    return parser


def _add_destinations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=_typed(parse_address),
        required=True,
        metavar="ADDRESS",
        help="vsock:any:PORT, vsock:CID:PORT, unix:PATH or vsock-unix:PATH:PORT",
    )
    parser.add_argument(
        "--allow",
        type=_typed(Rule.parse),
        action="append",
        required=True,
        metavar="HOST:PORT[=ADDRESS:PORT]",
        help="a destination, matched exactly; may be repeated",
    )
    parser.add_argument(
        "--allow-private",
        type=_typed(ip_network),
        action="append",
        default=[],
        metavar="CIDR",
        help="a private network in which an allowed name may live; may be repeated",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-connections",
        type=_typed(_count),
        default=_DEFAULT.max_connections,
        metavar="N",
        help="at once; one more is closed (%(default)s)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=_typed(_seconds),
        default=_DEFAULT.idle_timeout_s,
        metavar="S",
        help="seconds in which nothing moves either way (%(default)g)",
    )
    parser.add_argument(
        "--total-timeout",
        type=_typed(_seconds),
        default=_DEFAULT.total_timeout_s,
        metavar="S",
        help="seconds of one connection in any case (%(default)g)",
    )


def _typed(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    """The parser with its own words: argparse prints the message of this one error only."""

    def parsed(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _count(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or not 1 <= int(text) <= _MAX_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {_MAX_CONNECTIONS}, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    expected = ValueError(f"expected seconds, more than 0 and at most {_MAX_TIMEOUT_S:g}, got {text!r}")
    try:
        seconds = float(text)
    except ValueError:
        raise expected from None
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise expected
    return seconds


def _metrics(text: str) -> tuple[str, int]:
    address, port = parse_endpoint(text)
    if not ip_address(address).is_loopback:
        raise ValueError("expected a loopback address such as 127.0.0.1:9104: the metrics have no authentication")
    return address, 0 if port == "0" else check_port(address, port)
