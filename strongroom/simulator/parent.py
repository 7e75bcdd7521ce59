"""What the parent of a simulated deployment has in hand: credentials of its role, and what it delivers."""

import secrets
import time
from pathlib import Path

from parent.credentials import Credentials
from parent.delivery import Delivery
from parent.settings import Sources
from strongroom.simulator.kms.credentials import issue
from strongroom.simulator.operator import PARENT_ROLE, Deployment

_LIFETIME_MS = 12 * 3_600_000


def parent_credentials(state: Path) -> Credentials:
    """Fresh ones of the role that the key policy names; whoever runs an enclave has got hold of such."""
    token = secrets.token_hex(32)
    key_id, secret = issue(state, PARENT_ROLE, token)
    return Credentials(key_id, secret, token, time.time_ns() // 1_000_000 + _LIFETIME_MS)


def delivery_of(deployment: Deployment) -> Delivery:
    """Read anew, as the gateway does after each boot. Raises SourceUnusable."""
    return Delivery.load(Sources(deployment.configuration, deployment.catalogue, deployment.sealed))
