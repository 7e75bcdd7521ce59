"""The examples of README and docs run: what a reader copies works."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

import strongroom.client
from attestation.anchors import SimulatedTrustAnchor
from attestation.key_policy.linter import lint_key
from attestation.measurements import parent_role_pcr3
from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from parent.settings import DEFAULT_WEIGHT_STREAMS, Limits
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.image import image_pcrs
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.operator import PARENT_ROLE, REGION
from tests.attestation import forge

KEY_ADMIN = "arn:aws:iam::000000000000:role/key-admin"
MODEL_OWNER = "arn:aws:iam::000000000000:role/model-owner"
ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
GROUPS = ("audit", "deployment", "eif", "enclave", "enclave run", "kms", "model", "policy", "receipt", "simulator")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]


def commands(page: Path) -> list[list[str]]:
    """The `$ strongroom …` lines of a page's console blocks."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ strongroom")]


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("packages")
    packages = [build_tiny_decoder(folder / "d"), build_tiny_encoder(folder / "e"), build_tiny_tensor(folder / "t")]
    with Appliance(tmp_path_factory.mktemp("appliance"), packages) as running:
        yield running


def test_the_python_examples_of_the_readme_run(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    anchor = SimulatedTrustAnchor.from_pem(appliance.endpoint.anchor.read_bytes())
    simulated = partial(strongroom.client.Client, anchor=anchor, allow_simulated=True)
    monkeypatch.setattr(strongroom.client, "Client", simulated, raising=False)
    monkeypatch.chdir(appliance.deployment.folder)
    Path("document.cbor").write_bytes(forge.document())
    examples = blocks(ROOT / "README.md", "python")
    assert examples
    for example in examples:
        code = example.replace("https://gateway.example", appliance.endpoint.url)
        exec(compile(code, "README.md", "exec"), {})


def run(
    arguments: list[str], folder: Path, key_id: str = "operator", secret: str = "operator"
) -> subprocess.CompletedProcess[str]:
    """`python -m ARGUMENTS` in that folder, with those AWS credentials."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_boot_order_of_the_operations_page_runs(appliance: Appliance, tmp_path: Path) -> None:
    kms_port = appliance.parts["kms"].wait_announced(1)["port"]
    endpoint, ca_file = f"https://127.0.0.1:{kms_port}", appliance.folder / "tls" / "ca.pem"
    # The page's two roles; their credentials are registered with the dev KMS, others are the account's root.
    register(appliance.folder, "ASIAADMIN", RoleCredentials(KEY_ADMIN, "secret"))
    register(appliance.folder, "ASIAOWNER", RoleCredentials(MODEL_OWNER, "secret"))
    key: Any = boto3.Session(aws_access_key_id="ASIAADMIN", aws_secret_access_key="secret").client(
        "kms", region_name=REGION, endpoint_url=endpoint, verify=str(ca_file)
    )
    arn = key.create_key()["KeyMetadata"]["Arn"]
    page = (ROOT / "docs" / "operations.md").read_text()
    [shown] = set(re.findall(r"arn:aws:kms:\S+", page))
    steps = {
        " ".join(arguments[1:3]): [argument.replace(shown, arn) for argument in arguments]
        for arguments in commands(ROOT / "docs" / "operations.md")
    }
    build_tiny_tensor(tmp_path / ".models" / "smollm2-135m")
    run([*steps["deployment init"], "--json"], tmp_path)
    catalogue = json.loads(run([*steps["model catalogue"], "--json"], tmp_path).stdout)
    measured = json.loads(run([*steps["deployment measure"], "--json"], tmp_path).stdout)
    checked = json.loads(run([*steps["deployment check"], "--json"], tmp_path).stdout)
    assert [(entry["id"], entry["purpose"], entry["arn"]) for entry in checked["key"]] == [("models", "model", arn)]
    pcrs = {**image_pcrs(), 3: parent_role_pcr3(PARENT_ROLE)}
    pcrs |= {16: bytes.fromhex(catalogue["pcr16"]), 17: bytes.fromhex(measured["pcr17"])}
    (tmp_path / "policy.toml").write_text(dump_measurements([Measurements(pcrs)]))
    policy = run(steps["policy compile"], tmp_path).stdout
    key.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)
    metadata = key.describe_key(KeyId=arn)["KeyMetadata"]
    findings = lint_key(metadata, json.loads(policy), [], runtime_role_arn=PARENT_ROLE)
    assert [finding for finding in findings if finding.severity == "error"] == []
    (tmp_path / "key-policy.json").write_text(policy)
    linted = json.loads(run([*steps["policy lint"], "--json"], tmp_path).stdout)
    assert (linted["errors"], linted["tuples"]["missed"]) == (0, [])
    sealing = [*steps["model seal"], f"--endpoint-url={endpoint}", f"--ca-bundle={ca_file}", "--json"]
    denied = run(sealing, tmp_path)
    assert (denied.returncode, "AccessDenied" in denied.stderr) == (1, True)
    sealed = run(sealing, tmp_path, "ASIAOWNER", "secret")
    assert sealed.returncode == 0, sealed.stderr
    checking = [word.replace("smollm2-135m", "tiny-tensor") for word in steps["model unseal-check"]]
    assert_opens_for_who_has_the_key([*checking, *sealing[-3:]], tmp_path, key, arn)


def assert_opens_for_who_has_the_key(checking: list[str], folder: Path, key: Any, arn: str) -> None:
    """Under the compiled policy KMS refuses whoever sealed; under one that leaves all to the account it does not."""
    refused = run(checking, folder, "ASIAOWNER", "secret")
    assert (refused.returncode, "AccessDenied" in refused.stderr) == (1, True)
    root = {"Sid": "root", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}}
    unguarded = {"Version": "2012-10-17", "Statement": [{**root, "Action": "kms:*", "Resource": "*"}]}
    key.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(unguarded))
    opened = run(checking, folder)
    assert opened.returncode == 0, opened.stderr
    assert json.loads(opened.stdout)["id"] == "tiny-tensor"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    for arguments in commands(page):
        words = [word for word in arguments[1:] if not word.startswith("-")]
        name = words[: 1 + (words[0] in GROUPS) + (" ".join(words[:2]) in GROUPS)]
        text = run(["strongroom", *name, "--help"], ROOT).stdout
        for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
            assert option in text, f"{' '.join(name)} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_test_named_exists(page: Path) -> None:
    text = page.read_text()
    for name in set(
        re.findall(r"\b(?:tests|docs|enclave|parent|proxy|attestation|strongroom|benchmarks)/[\w/.-]+", text)
    ):
        path = ROOT / name.rstrip(".-")
        assert path.exists() or path.with_suffix(".py").exists(), f"{page.name} names {name}"
    for name, test in re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", text):
        assert f"def {test}(" in (ROOT / name).read_text(), f"{page.name} names {name}::{test}"


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^[^#\n]*\bmake ([a-z-]+) ", "\n".join(blocks(ROOT / "README.md", "sh")), re.M))
    assert {"demo", "test"} <= targets
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def test_the_settings_of_the_gateway_are_those_of_the_page() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| `(STRONGROOM_[A-Z_]+)` \| (\d+) \|", text, re.MULTILINE))
    pairs = re.findall(r"^\| `(STRONGROOM_\w+_S)`, `(STRONGROOM_\w+_S)` \| (\d+), (\d+) \|", text, re.MULTILINE)
    shown = {**rows, **{name: value for first, second, a, b in pairs for name, value in ((first, a), (second, b))}}
    defaults = {f"STRONGROOM_{field.name.upper()}": field.default for field in fields(Limits)}
    defaults["STRONGROOM_WEIGHT_STREAMS"] = DEFAULT_WEIGHT_STREAMS
    assert {name: float(value) for name, value in shown.items()} == defaults
