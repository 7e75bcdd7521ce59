"""The deployments that are attacked: their owner lets two accounts run them, the client's policy pins one of the two.

So the second account's enclave has the same image and configuration bytes, got its keys, and attests genuinely: nothing
but PCR3 tells it from the right one (review R5).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from attestation.compiler import compile_key_policy
from attestation.measurements import parent_role_pcr3
from attestation.policy import Measurements
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, Limits
from strongroom.simulator.operator import (
    KEY_ADMINISTRATOR,
    MODEL_OWNER,
    PARENT_ROLE,
    Deployment,
    Operator,
)

STRANGERS_ROLE = "arn:aws:iam::111111111111:role/strongroom-parent"
REQUEST_KEY = "requests"
FLOODED_ENTRIES = 64
_ROOMY = Limits(replay_entries=1 << 20, max_in_flight=64)
_SMALL = Limits(replay_entries=FLOODED_ENTRIES, max_in_flight=64)


@dataclass(frozen=True)
class Deployed:
    """Files of a deployment, the tuple that its clients pin, and the key entry that takes requests."""

    files: Deployment
    measurements: Measurements
    entry: KeyEntry


class TwoAccountOperator(Operator):
    """An owner whose key serves enclaves of two accounts, for models and for requests."""

    limits = _ROOMY

    def _configuration(self, arn: str) -> DeploymentConfiguration:
        plain = super()._configuration(arn)
        models = [entry for entry in plain.key if entry.purpose == "model"]
        requests = KeyEntry(id=REQUEST_KEY, purpose="request", tenant="demo", arn=arn)
        return msgspec.structs.replace(plain, key=[*models, requests], limits=self.limits)

    def _put_key_policy(self, arn: str, measurements: Measurements) -> None:
        strangers = Measurements({**measurements.pcrs, 3: parent_role_pcr3(STRANGERS_ROLE)}, name="stranger")
        policy = compile_key_policy(
            key_arn=arn,
            runtime_role_arn=PARENT_ROLE,
            measurements=[measurements, strangers],
            administrator_arns=[KEY_ADMINISTRATOR],
            sealer_arns=[MODEL_OWNER],
        )
        self._administrator.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(policy))


class SmallCacheOperator(TwoAccountOperator):
    """The same with room for few request ids, so that a flood is short."""

    limits = _SMALL


def deploy(operator: TwoAccountOperator, folder: Path, packages: list[Path]) -> Deployed:
    """Create key, configuration, policy and sealed models below `folder`. Blocks."""
    files = Deployment(folder)
    measurements = operator.deploy(files, packages)
    configuration = DeploymentConfiguration.from_bytes(files.configuration.read_bytes())
    return Deployed(files, measurements, configuration.find_key(REQUEST_KEY, "request"))
