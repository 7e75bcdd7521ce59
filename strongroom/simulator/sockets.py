"""The UNIX sockets that stand in for vsock ports: one folder, one name per port, or one per machine that is booted."""

import errno
import socket
from pathlib import Path

from enclave.addresses import API_PORT, CONTROL_PORT, LOG_PORT, Addresses
from strongroom.transport.addresses import UnixAddress, VsockUnixAddress
from strongroom.transport.sockets import listen


def numbered(name: str, number: int) -> str:
    """The name of what each enclave has; the first one's bears no number."""
    return name if number == 1 else f"{name}-{number}"


def enclave_addresses(folder: Path, number: int = 1) -> Addresses:
    """Where the simulated enclave of that number listens, and where all of them find the proxy."""
    own = (numbered(name, number) for name in ("api", "control", "log"))
    return Addresses(*(UnixAddress(folder / f"{name}.sock") for name in (*own, "proxy")))


def machine_port(folder: Path, number: int, port: int) -> VsockUnixAddress:
    """A vsock port of the booted machine of that number, or of its parent."""
    return VsockUnixAddress(folder / f"{numbered('vsock', number)}.sock", port)


def machine_addresses(folder: Path, number: int = 1) -> Addresses:
    """Where the application in a booted machine listens, and where all of them find the proxy."""
    api, control, log = (machine_port(folder, number, port) for port in (API_PORT, CONTROL_PORT, LOG_PORT))
    return Addresses(api, control, log, UnixAddress(folder / "proxy.sock"))


def listen_at(path: Path) -> socket.socket:
    """A listening socket, as `listen` makes it; an OSError that is raised names the path."""
    try:
        return listen(UnixAddress(path))
    except OSError as error:  # Python's own, for a path that is too long, has no number
        number = error.errno or errno.ENAMETOOLONG
        raise OSError(number, error.strerror or str(error), str(path)) from None
