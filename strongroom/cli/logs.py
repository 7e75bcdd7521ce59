"""`strongroom logs`: the enclave's own log, which has no other way out."""

import json
import socket
import time
from collections.abc import Iterator

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.output import json_option

_CONNECT_S = 5.0
_KEPT_S = 0.5
_READ_BYTES = 64 << 10
_MAX_LINE_BYTES = 1 << 20


@click.command()
@click.argument("address")
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
@json_option
def logs(address: str, follow: bool, as_json: bool) -> None:
    """Print the lines that the enclave at ADDRESS (vsock:CID:7003, unix:PATH or
    vsock-unix:PATH:7003) has kept, oldest first.

    \b
    Example:  strongroom logs vsock:16:7003 --follow
    """
    print_log(address, follow=follow, as_json=as_json)


def print_log(address: str, *, follow: bool, as_json: bool) -> None:
    """The lines that the log port at that address gives. Raises CommandFailed."""
    from strongroom.transport.addresses import parse_address
    from strongroom.transport.sockets import dial

    try:
        connection = dial(parse_address(address), _CONNECT_S)
    except ValueError as error:
        raise CommandFailed("address", str(error), 2) from None
    except OSError as error:
        reason = error.strerror or "no answer"
        raise CommandFailed("unreachable", f"{address}: {reason}; is the enclave running?") from None
    with connection:
        for line in _lines(connection, follow):
            click.echo(line if as_json else readable_line(line))


def _lines(connection: socket.socket, follow: bool) -> Iterator[str]:
    """Whole lines; without `follow` those that come within a moment, for the kept ones come at once."""
    deadline = None if follow else time.monotonic() + _KEPT_S
    buffer = b""
    while True:
        connection.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
        try:
            piece = connection.recv(_READ_BYTES)
        except TimeoutError:
            return
        if not piece:
            return
        *lines, buffer = (buffer + piece)[-_MAX_LINE_BYTES:].split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def readable_line(line: str) -> str:
    """A line for people; one that is not of the enclave's form is shown as it is."""
    try:
        fields = dict(json.loads(line))
        return "  ".join([str(fields.pop("event")).ljust(12), *(f"{name}={value}" for name, value in fields.items())])
    except (ValueError, TypeError, KeyError):
        return repr(line)
