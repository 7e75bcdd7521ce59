"""What an enclave finds when it boots: dev KMS and proxy as processes, a key that opens for it, one sealed model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from enclave.addresses import Addresses
from enclave.kms.isolation import kms_host
from parent.credentials import Credentials
from parent.delivery import Delivery
from strongroom.models.tiny import build_tiny_decoder
from strongroom.simulator.operator import REGION, Deployment, Operator
from strongroom.simulator.parent import delivery_of, parent_credentials
from strongroom.simulator.part import Part
from strongroom.simulator.sockets import enclave_addresses

_START_S = 20.0


@dataclass(frozen=True)
class Surroundings:
    """Where everything is, and what the parent delivers."""

    state: Path
    addresses: Addresses
    delivery: Delivery
    credentials: Credentials


@contextmanager
def running(folder: Path) -> Iterator[Surroundings]:
    """Everything started, its state in `folder`; stopped at the end of the block. Raises PartFailed."""
    addresses = enclave_addresses(folder)
    with _part("kms", "strongroom", ["simulator", "kms", "--state=.", "--tls"], folder) as kms:
        port = kms.wait_announced(_START_S)["port"]
        deployment = Deployment(folder / "deployment")
        Operator(folder, f"https://127.0.0.1:{port}").deploy(deployment, [build_tiny_decoder(folder / "package")])
        rule = f"--allow={kms_host(REGION, fips=False)}:443=127.0.0.1:{port}"
        with _part("proxy", "proxy", [f"--listen={addresses.proxy}", rule], folder) as proxy:
            proxy.wait_announced(_START_S)
            yield Surroundings(folder, addresses, delivery_of(deployment), parent_credentials(folder))


@contextmanager
def _part(name: str, module: str, arguments: list[str], folder: Path) -> Iterator[Part]:
    part = Part(name, module, arguments, folder=folder)
    try:
        yield part
    finally:
        part.stop()
