"""The UNIX sockets that stand in for vsock ports: one folder, one name per port."""

from pathlib import Path

from enclave.server import Addresses
from strongroom.transport.addresses import UnixAddress


def numbered(name: str, number: int) -> str:
    """The name of what each enclave has; the first one's bears no number."""
    return name if number == 1 else f"{name}-{number}"


def enclave_addresses(folder: Path, number: int = 1) -> Addresses:
    """Where the simulated enclave of that number listens, and where all of them find the proxy."""
    own = (numbered(name, number) for name in ("api", "control", "log"))
    return Addresses(*(UnixAddress(folder / f"{name}.sock") for name in (*own, "proxy")))
