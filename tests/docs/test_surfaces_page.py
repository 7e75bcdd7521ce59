"""docs/surfaces.md: its examples run as they stand there, and its tables are those of the code."""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

from strongroom.client.endpoint.limits import Limits
from strongroom.client.errors import StrongroomError
from strongroom.models.tiny import build_tiny_decoder
from strongroom.protocol.payloads import FailureCode
from strongroom.simulator.appliance import Appliance
from strongroom.surfaces.oip.numbers import DTYPES
from strongroom.surfaces.tasks import MAX_MARKS
from tests.cli.running import exported, strongroom
from tests.docs.test_examples import ROOT, blocks

PAGE = ROOT / "docs" / "surfaces.md"
TRUSTING = """
import functools, strongroom.client
from attestation.anchors import SimulatedTrustAnchor
anchor = SimulatedTrustAnchor.from_pem(open({anchor!r}, "rb").read())
strongroom.client.AttestedSession = functools.partial(
    strongroom.client.AttestedSession, anchor=anchor, allow_simulated=True
)
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    package = build_tiny_decoder(tmp_path_factory.mktemp("packages") / "decoder")
    with Appliance(tmp_path_factory.mktemp("appliance"), [package]) as running:
        yield running


@pytest.fixture
def folder(appliance: Appliance, tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_bytes((appliance.deployment.folder / "policy.toml").read_bytes())
    return tmp_path


def adapted(text: str, appliance: Appliance) -> str:
    """An example with this gateway's address, and the model that it serves."""
    return text.replace("https://gateway.example", appliance.endpoint.url).replace("smollm2-135m", "tiny-decoder")


def run(code: str, folder: Path, **environment: str) -> str:
    """What a program prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_in_process_answers_and_keeps_its_proof(appliance: Appliance, folder: Path) -> None:
    example = adapted(blocks(PAGE, "python")[0], appliance)
    assert run(TRUSTING.format(anchor=str(appliance.endpoint.anchor)) + example, folder)
    trusted = (f"--trust-anchor={appliance.endpoint.anchor}", "--allow-simulated")
    done = strongroom("receipt", "verify", "answer.proof", *trusted, "--json", cwd=folder)
    assert json.loads(done.stdout)["verdict"] == "accepted"


def test_the_example_over_serve_local(appliance: Appliance, folder: Path) -> None:
    [block] = blocks(PAGE, "console")
    command = shlex.split(adapted(block.splitlines()[0].removeprefix("$ "), appliance))
    trusted = [f"--trust-anchor={appliance.endpoint.anchor}", "--allow-simulated"]
    program = [sys.executable, "-m", *command, *trusted]
    with subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        names = re.findall(r"(\w+)=", line)
        assert names == re.findall(r"(\w+)=", block.splitlines()[1])
        assert run(adapted(blocks(PAGE, "python")[1], appliance), folder, **exported(line))
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=10)
    assert serving.returncode == 0
    [proof] = (folder / "proofs").iterdir()
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}\.proof", proof.name)
    assert stat.S_IMODE(proof.stat().st_mode) == 0o600


def test_the_limits_are_those_of_the_code() -> None:
    section = PAGE.read_text().split("| limit | value |")[1].split("\n\n")[0]
    shown = [float(number) for number in re.findall(r"(\d+) ?(?:MiB|s\b|;)", section)]
    limits = asdict(Limits())
    limits["body_bytes"] >>= 20
    limits["bodies_bytes"] >>= 20
    assert shown == list(limits.values())


def test_the_bound_of_json_is_that_of_the_code() -> None:
    assert f"({MAX_MARKS:,}) brackets, quotes and commas" in PAGE.read_text()


def test_every_code_is_in_the_table_of_refusals() -> None:
    section = PAGE.read_text().split("## Refusals\n")[1].split("\n## ")[0]
    told = {error.code for error in StrongroomError.__subclasses__() if error.__module__ == StrongroomError.__module__}
    codes = told - {"request-refused"} | set(get_args(FailureCode))
    assert {code for code in codes if f"`{code}`" not in section} == set()


def test_every_datatype_is_named() -> None:
    text = PAGE.read_text()
    assert [datatype for datatype in DTYPES if datatype not in text] == []
