"""An EIF from a docker image by nitro-cli, whose word about the measurements is held against our own reader's.

Arguments and answers are those of aws-nitro-enclaves-cli 1.5.0 (https://docs.aws.amazon.com/enclaves/latest/user/
cmd-nitro-build-enclave.html). nitro-cli has no -f: Dockerfile.enclave is built first, and its image passed by name.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from attestation.eif.description import measurements
from attestation.eif.measurements import SIGNING_CERTIFICATE_PCR
from attestation.eif.reader import EIF
from attestation.eif.source import Progress
from strongroom.image import tools
from strongroom.image.errors import InputRefused, ProgramFailed

DOCKERFILE = "Dockerfile.enclave"

_BASE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_PRINT_DIGEST = (
    "docker pull debian:trixie-slim && docker inspect --format '{{index .RepoDigests 0}}' debian:trixie-slim"
)


class _Answer(msgspec.Struct):
    measurements: dict[str, str] = msgspec.field(name="Measurements")


@dataclass(frozen=True, slots=True)
class Signing:
    """What nitro-cli signs under: a certificate's file and the file of its key, or the ARN of a KMS key."""

    certificate: Path
    private_key: str
    pcr8: bytes
    """What the certificate measures as."""


def check_inputs(base: str, source_date_epoch: str | None) -> None:
    """A base image by digest, for a tag is another image tomorrow, and a date in seconds. Raises InputRefused."""
    if not _BASE.fullmatch(base):
        expected = "an image with a digest, NAME@sha256:…"
        raise InputRefused(f"base: expected {expected}, got '{base}'; print one: {_PRINT_DIGEST}")
    if source_date_epoch is not None and not _SECONDS.fullmatch(source_date_epoch):
        raise InputRefused("SOURCE_DATE_EPOCH: expected seconds since 1970, got something else")


def require_tools() -> None:
    """Docker's engine, not its client alone, and nitro-cli. Raises ProgramMissing."""
    engine = "install its engine and start it; on Amazon Linux 2023: dnf install docker && systemctl start docker"
    tools.require("docker", engine, ["info"])
    packages = "aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel"
    tools.require("nitro-cli", f"on Amazon Linux 2023: dnf install {packages}", ["--version"])


def build_image(tag: str, base: str, source_date_epoch: str | None = None) -> None:
    """Have docker build the current folder's Dockerfile.enclave on `base`. Raises ProgramFailed, OSError."""
    arguments = ["--build-arg", f"BASE={base}"]
    if source_date_epoch is not None:
        arguments += ["--build-arg", f"SOURCE_DATE_EPOCH={source_date_epoch}"]
    tools.run(["docker", "build", "--file", DOCKERFILE, *arguments, "--tag", tag, "."])


def build_enclave(
    docker_uri: str, output: Path, signing: Signing | None = None, progress: Progress | None = None
) -> EIF:
    """Have nitro-cli write `output`, and give what our reader found in it; nothing takes that name unless both agree.

    Raises ProgramFailed, EIFError, UnsoundEIF, OSError.
    """
    output = output.resolve()
    with TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
        draft = Path(folder) / output.name
        said = _said(tools.answer_of(_command(docker_uri, draft, signing)))
        image = _read(draft, progress)
        _compare(said, measurements(image))
        if signing is not None and image.pcrs.get(SIGNING_CERTIFICATE_PCR) != signing.pcr8:
            expected = "an image that is signed under the certificate given"
            raise ProgramFailed(f"nitro-cli build-enclave: expected {expected}, got one that is not")
        os.replace(draft, output)
    return image


def _command(docker_uri: str, output: Path, signing: Signing | None) -> Sequence[str]:
    command = ["nitro-cli", "build-enclave", "--docker-uri", docker_uri, "--output-file", str(output)]
    if signing is not None:
        command += ["--signing-certificate", str(signing.certificate), "--private-key", signing.private_key]
    return command


def _said(answer: bytes) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(answer, type=_Answer).measurements
    except (msgspec.MsgspecError, UnicodeDecodeError):
        expected = "one JSON object with its Measurements"
        raise ProgramFailed(f"nitro-cli build-enclave: expected {expected}, got something else") from None


def _read(draft: Path, progress: Progress | None) -> EIF:
    if not draft.is_file():
        raise ProgramFailed("nitro-cli build-enclave: expected an EIF where --output-file says, got none")
    with draft.open("rb") as stream:
        image = EIF.from_stream(stream, progress)
    image.require_sound()
    return image


def _compare(said: Mapping[str, str], measured: Mapping[str, str]) -> None:
    for name in sorted({*said, *measured}):
        if said.get(name) != measured.get(name):
            theirs, ours = (repr(each.get(name, "absent"))[:120] for each in (said, measured))
            raise ProgramFailed(
                f"{name}: expected what nitro-cli says, {theirs}, got {ours} from our own reader; trust neither"
            )
