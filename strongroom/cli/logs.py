"""`strongroom logs`: the enclave's own log, which has no other way out."""

import contextlib

import click

from strongroom.cli.failures import CommandFailed

_CONNECT_S = 5.0


@click.command()
@click.argument("address")
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
def logs(address: str, follow: bool) -> None:
    """Print the lines that the enclave at ADDRESS (vsock:CID:7003 or unix:PATH) has kept, as JSON, one a line.

    \b
    Example:  strongroom logs vsock:16:7003 --follow
    """
    from strongroom.transport.addresses import parse_address
    from strongroom.transport.sockets import dial

    try:
        connection = dial(parse_address(address), _CONNECT_S)
    except ValueError as error:
        raise CommandFailed("address", str(error), 2) from None
    except OSError as error:
        reason = error.strerror or "no answer"
        raise CommandFailed("unreachable", f"{address}: {reason}; is the enclave running?") from None
    with connection, contextlib.suppress(TimeoutError):
        # Without --follow, half a second of silence means that the kept lines have all come.
        connection.settimeout(None if follow else 0.5)
        while piece := connection.recv(64 << 10):
            click.echo(piece.decode(errors="replace"), nl=False)
