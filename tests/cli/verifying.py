"""Files for the verifier's command line: a forged document, its root, and the options that let both be judged."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from tests.attestation import forge
from tests.cli.running import strongroom

ROLE = "arn:aws:iam::111122223333:role/parent"
ARCHIVED = ("--archived", "--any-measurement")


def write(folder: Path, data: bytes | None = None, name: str = "document.cbor") -> str:
    """A file with `data`, by default a sound document."""
    file = folder / name
    file.write_bytes(forge.document() if data is None else data)
    return str(file)


def anchored(folder: Path, chain: forge.PKI | None = None) -> tuple[str, ...]:
    """The options that trust the forge's root, which is written below `folder` to a place of its own."""
    place = folder / "trusted"
    place.mkdir(exist_ok=True)
    root = x509.load_der_x509_certificate((chain or forge.pki()).certificates[0])
    (place / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    return "--trust-anchor", str(place / "root.pem"), "--allow-simulated"


def pin(index: int, value: bytes | None = None) -> tuple[str, str]:
    """The option that pins a PCR, by default to what the forge's documents have."""
    return "--pcr", f"{index}={(value or forge.pcr(index)).hex()}"


def policy_file(folder: Path, **changes: bytes) -> str:
    """A policy file that accepts the forge's documents under any parent's role; `changes` are other PCRs, pcr0=…."""
    pcrs = {index: forge.pcr(index) for index in range(3)}
    other = {int(name.removeprefix("pcr")): value for name, value in changes.items()}
    file = folder / "policy.toml"
    file.write_text(dump_measurements([Measurements(pcrs | other, any_parent_role=3 not in other)]))
    return str(file)


def verified(*arguments: str, exit_code: int = 0, **options: Any) -> dict[str, Any]:
    """The one JSON line of `strongroom verify`, which must end with `exit_code` and say nothing else."""
    done = run(*arguments, "--json", exit_code=exit_code, **options)
    [line] = done.stdout.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


def run(*arguments: str, exit_code: int = 0, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`strongroom verify`, which must end with `exit_code` and leave standard error empty."""
    done = strongroom("verify", *arguments, **options)
    assert (done.returncode, done.stderr) == (exit_code, b""), done.stdout
    return done
