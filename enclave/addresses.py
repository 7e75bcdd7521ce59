"""The enclave's vsock ports, and the addresses that stand for them; the parts around it know no more of it."""

from dataclasses import dataclass
from typing import Final

from strongroom.transport.addresses import Address, VsockAddress, listen_any

API_PORT: Final = 7001
CONTROL_PORT: Final = 7002
LOG_PORT: Final = 7003
PROXY_PORT: Final = 7004


@dataclass(frozen=True)
class Addresses:
    """Where the enclave listens, and the proxy it may dial."""

    api: Address
    control: Address
    log: Address
    proxy: Address

    @classmethod
    def vsock(cls, parent_cid: int) -> "Addresses":
        """The fixed ports of the image."""
        return cls(
            listen_any(API_PORT), listen_any(CONTROL_PORT), listen_any(LOG_PORT), VsockAddress(parent_cid, PROXY_PORT)
        )
