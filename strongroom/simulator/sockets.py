"""The UNIX sockets that stand in for vsock ports: one folder, one name per port."""

from pathlib import Path

from enclave.server import Addresses
from strongroom.transport.addresses import UnixAddress


def enclave_addresses(folder: Path) -> Addresses:
    """Where the simulated enclave listens, and where it finds the proxy."""
    return Addresses(*(UnixAddress(folder / f"{name}.sock") for name in ("api", "control", "log", "proxy")))
