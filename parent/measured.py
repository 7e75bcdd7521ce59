"""What the gateway reads in the configuration that it delivers: how many requests the enclave takes at a time."""

from pathlib import Path

from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.constants import MAX_CONFIGURATION_BYTES
from strongroom.protocol.errors import ProtocolError


def measured_in_flight(configuration: Path) -> int | None:
    """Its `limits.max_in_flight`; None if the file cannot be used, which the provisioner says."""
    try:
        with configuration.open("rb") as file:
            data = file.read(MAX_CONFIGURATION_BYTES + 1)
        return DeploymentConfiguration.from_bytes(data).limits.max_in_flight
    except (OSError, ProtocolError):
        return None
