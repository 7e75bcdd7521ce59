"""What the operator of a deployment does, in the order of docs/operations.md, here against the dev KMS:

create the key → its ARN into the configuration → measure → put the key policy → seal the weights.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from attestation.compiler import compile_key_policy
from attestation.measurements import (
    CATALOGUE_PCR,
    CONFIGURATION_PCR,
    catalogue_pcr16,
    configuration_pcr17,
    parent_role_pcr3,
)
from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from strongroom.documents import to_toml
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.protocol.catalogue import Catalogue
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings, Limits, Windows
from strongroom.simulator.image import image_pcrs
from strongroom.simulator.kms.credentials import issue

ACCOUNT = "000000000000"
REGION = "us-east-1"
PARENT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/strongroom-parent"
KEY_ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/key-administrator"
MODEL_OWNER = f"arn:aws:iam::{ACCOUNT}:role/model-owner"
_KEY_ID = "models"
_REQUESTS_ID = "requests"


@dataclass(frozen=True)
class Deployment:
    """The files of one simulated deployment."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """The measured configuration (PCR17)."""
        return self.folder / "deployment.toml"

    @property
    def catalogue(self) -> Path:
        """The measured model catalogue (PCR16)."""
        return self.folder / "catalogue.toml"

    @property
    def policy(self) -> Path:
        """The client's policy file: the one acceptable tuple."""
        return self.folder / "policy.toml"

    @property
    def sealed(self) -> Path:
        """The folder of sealed models."""
        return self.folder / "sealed"


class Operator:
    """Two roles, as AWS recommends: one manages the key and can never use it, one makes data keys and nothing else."""

    def __init__(
        self,
        state_dir: Path,
        endpoint_url: str,
        limits: Limits | None = None,
        windows: Windows | None = None,
        *,
        classical: bool = False,
    ) -> None:
        self._state_dir, self._endpoint_url, self._classical = state_dir, endpoint_url, classical
        self._limits, self._windows = limits or Limits(), windows or Windows()
        self._ca_file = state_dir / "tls" / "ca.pem"
        self._administrator = self._as_role(KEY_ADMINISTRATOR)
        self._owner = self._as_role(MODEL_OWNER)

    def _as_role(self, role_arn: str) -> Any:
        """A KMS client with fresh credentials of that role."""
        key_id, secret = issue(self._state_dir, role_arn)
        return boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret).client(
            "kms",
            region_name=REGION,
            endpoint_url=self._endpoint_url,
            verify=str(self._ca_file),
            config=Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3}),
        )

    def deploy(
        self, deployment: Deployment, packages: Sequence[Path], image: Mapping[int, bytes] | None = None
    ) -> Measurements:
        """Create everything a deployment needs; return the one tuple that KMS and clients will accept.

        `image` is PCR0 to PCR2 of the enclaves, the simulated image's by default.
        """
        deployment.folder.mkdir(parents=True, exist_ok=True)
        arn = self._administrator.create_key(Description="Strongroom simulator")["KeyMetadata"]["Arn"]
        configuration = self._configuration(arn)
        catalogue = catalogue_of(list(packages), _KEY_ID)
        deployment.configuration.write_bytes(to_toml(configuration))
        deployment.catalogue.write_bytes(to_toml(catalogue))
        measurements = expected_measurements(deployment, image)
        deployment.policy.write_text(dump_measurements([measurements]))
        self._put_key_policy(arn, measurements)
        self._seal(deployment, packages, configuration, catalogue)
        return measurements

    def make_data_key(self, arn: str, context: dict[str, str]) -> tuple[bytes, bytes]:
        """GenerateDataKey: 32 bytes in plain, and wrapped."""
        answer = self._owner.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=context)
        return answer["Plaintext"], answer["CiphertextBlob"]

    def _configuration(self, arn: str) -> DeploymentConfiguration:
        return DeploymentConfiguration(
            version=1,
            deployment="simulator",
            description="Strongroom on one machine; simulated hardware",
            key=[
                KeyEntry(id=_KEY_ID, purpose="model", tenant="demo", arn=arn),
                KeyEntry(id=_REQUESTS_ID, purpose="request", tenant="demo", arn=arn),
            ],
            kms=KMSSettings(runtime_role=PARENT_ROLE, ca_pem=self._ca_file.read_text(), classical=self._classical),
            limits=self._limits,
            windows=self._windows,
        )

    def _put_key_policy(self, arn: str, measurements: Measurements) -> None:
        policy = compile_key_policy(
            key_arn=arn,
            runtime_role_arn=PARENT_ROLE,
            measurements=[measurements],
            administrator_arns=[KEY_ADMINISTRATOR],
            sealer_arns=[MODEL_OWNER],
            purposes=["model", "request"],
        )
        self._administrator.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(policy))

    def _seal(
        self,
        deployment: Deployment,
        packages: Sequence[Path],
        configuration: DeploymentConfiguration,
        catalogue: Catalogue,
    ) -> None:
        for package in packages:
            seal_package(
                package,
                deployment.sealed,
                configuration=configuration,
                catalogue=catalogue,
                make_key=self.make_data_key,
            )


def expected_measurements(deployment: Deployment, image: Mapping[int, bytes] | None = None) -> Measurements:
    """What an enclave of that image, by default this machine's simulated one, will attest with these files."""
    return Measurements(
        {
            **(image or image_pcrs()),
            3: parent_role_pcr3(PARENT_ROLE),
            CATALOGUE_PCR: catalogue_pcr16(deployment.catalogue.read_bytes()),
            CONFIGURATION_PCR: configuration_pcr17(deployment.configuration.read_bytes()),
        },
        name="simulator",
    )
