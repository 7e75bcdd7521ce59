"""The whole path through all processes: sealed prompt in, sealed answer out."""

import json
import ssl
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from attestation.anchors import SimulatedTrustAnchor
from attestation.errors import RejectionCode
from attestation.policy import Measurements, UnsafeAnyMeasurement
from attestation.policy_file import load_policy
from strongroom.client import AttestationRefused, Client, RequestRefused, Unreachable
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.appliance import Appliance


def run(appliance: Appliance, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """`strongroom ARGUMENTS`, as a user would type it."""
    return subprocess.run(
        [sys.executable, "-m", "strongroom", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=appliance.folder,
    )


def options(appliance: Appliance) -> list[str]:
    endpoint = appliance.endpoint
    return [
        f"--url={endpoint.url}",
        f"--policy={endpoint.policy}",
        f"--trust-anchor={endpoint.anchor}",
        "--allow-simulated",
    ]


def test_a_chat_whole_and_streamed(client: Client) -> None:
    whole = client.chat("hello", model="tiny-decoder", max_tokens=8)
    stream = client.chat("hello", model="tiny-decoder", max_tokens=8, stream=True)
    pieces = list(stream)
    assert "".join(pieces) == whole.text == stream.answer.text
    assert whole.completion_tokens <= 8
    assert whole.prompt_tokens == stream.answer.prompt_tokens > 0


def test_embeddings_have_the_models_width_and_length_one(client: Client) -> None:
    vectors = client.embed(["one text", "another"])
    assert len(vectors) == 2
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-4 for vector in vectors)


def test_a_tensor_model(client: Client) -> None:
    data = struct.pack("<8f", *range(8))
    [output] = client.infer("tiny-tensor", {"x": Tensor("float32", [2, 4], data)}).values()
    assert (output.dtype, output.shape) == ("float32", [2, 3])


def test_the_status_is_what_the_policy_pins(client: Client, appliance: Appliance) -> None:
    status = client.status()
    pinned = appliance.endpoint.measurements.pcrs
    assert sorted(pinned) == [0, 1, 2, 3, 16, 17]
    assert {index: status.pcrs[index] for index in pinned} == {index: value.hex() for index, value in pinned.items()}
    assert status.anchor.simulated
    assert any("hardware" in text for text in status.does_not_prove)


def test_the_status_names_the_kms_leg_and_the_key_policies(client: Client, appliance: Appliance) -> None:
    status = client.status()
    assert status.kms_leg == ("hybrid" if ssl.OPENSSL_VERSION_INFO >= (3, 5) else "classical")
    for digest, exit_code in ((status.key_policies["models"], 0), ("00" * 48, 3)):
        assert run(appliance, "status", *options(appliance), f"--key-policy=models={digest}").returncode == exit_code


def test_the_aws_root_refuses_the_simulator(appliance: Appliance) -> None:
    policy = load_policy(appliance.endpoint.policy.read_bytes())
    with Client(appliance.endpoint.url, policy=policy) as client, pytest.raises(AttestationRefused) as caught:
        client.chat("x")
    assert caught.value.rejection is not None
    assert caught.value.rejection.code.rejection_class == "untrusted-chain"


@pytest.mark.parametrize("index", [0, 1, 2, 3, 16, 17])
def test_another_measurement_is_refused(appliance: Appliance, index: int) -> None:
    pcrs = {**appliance.endpoint.measurements.pcrs, index: b"\x55" * 48}
    anchor = SimulatedTrustAnchor.from_pem(appliance.endpoint.anchor.read_bytes())
    client = Client(appliance.endpoint.url, policy=Measurements(pcrs), anchor=anchor, allow_simulated=True)
    with client, pytest.raises(AttestationRefused) as caught:
        client.chat("x")
    assert caught.value.rejection is not None
    assert caught.value.rejection.code is RejectionCode.MEASUREMENT


def test_an_unknown_model_is_refused_inside_the_seal(client: Client) -> None:
    with pytest.raises(RequestRefused) as caught:
        client.chat("x", model="no-such-model")
    assert caught.value.failure_code == "unknown-model"


def test_the_documents_of_the_gateway_pipe_into_verify(appliance: Appliance) -> None:
    nonce = "5a" * 32
    with urllib.request.urlopen(f"{appliance.endpoint.url}/v1/attestation?nonce={nonce}") as answer:
        document = answer.read()
    judge = [f"--policy={appliance.endpoint.policy}", f"--trust-anchor={appliance.endpoint.anchor}", "--json"]
    accepted = run(appliance, "verify", "-", "--live", "--nonce", nonce, "--allow-simulated", *judge, stdin=document)
    assert accepted.returncode == 0, accepted.stderr
    assert json.loads(accepted.stdout)["trust_anchor"]["simulated"] is True
    for change in (["--nonce", "5b" * 32, "--allow-simulated"], ["--nonce", nonce]):
        rejected = run(appliance, "verify", "-", "--live", *change, *judge, stdin=document)
        assert rejected.returncode == 1
        assert json.loads(rejected.stdout)["verdict"] == "rejected"


def test_the_command_line_asks_and_answers(appliance: Appliance) -> None:
    chat = run(appliance, "chat", *options(appliance), "--model=tiny-decoder", "--max-tokens=4", "--json", "hello")
    assert chat.returncode == 0, chat.stderr
    assert json.loads(chat.stdout)["completion_tokens"] <= 4
    embed = run(appliance, "embed", *options(appliance), "--json", "one", "two")
    assert len(json.loads(embed.stdout)["vectors"]) == 2
    status = run(appliance, "status", *options(appliance), "--json")
    assert json.loads(status.stdout)["anchor"]["simulated"] is True
    tensors = appliance.folder / "inputs.json"
    tensors.write_text('{"x": {"dtype": "float32", "shape": [1, 4], "data": "AAAAAAAAAAAAAAAAAAAAAA=="}}')
    infer = run(appliance, "infer", *options(appliance), "--model=tiny-tensor", "--json", str(tensors))
    assert infer.returncode == 0, infer.stderr
    assert json.loads(infer.stdout)["outputs"]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["chat", "x"], 2),
        (["chat", "--url=http://127.0.0.1:1", "x"], 2),
        (["chat", "--url=http://127.0.0.1:1", "--any-measurement", "x"], 5),
        (["chat", "--url=http://127.0.0.1:1", "--policy=/nonexistent", "x"], 2),
        (["verify", "/nonexistent", "--archived", "--any-measurement"], 2),
        (["verify", "pki/root.pem", "--archived", "--any-measurement"], 1),
        (["verify", "pki/root.pem", "--any-measurement"], 2),
        (["verify", "pki/root.pem", "--live", "--nonce=zz", "--any-measurement"], 2),
        (["deployment", "check", "pki/root.pem"], 1),
        (["model", "build", "no-such-model"], 2),
        (["logs", "unix:nobody.sock"], 1),
        (["logs", "tcp:1:2"], 2),
        (["no-such-command"], 2),
    ],
)
def test_bad_use_is_one_sentence_and_an_exit_code(appliance: Appliance, arguments: list[str], exit_code: int) -> None:
    result = run(appliance, *arguments)
    assert result.returncode == exit_code, result.stderr
    assert b"Traceback" not in result.stderr
    assert result.stderr or result.stdout


def test_the_enclaves_log_is_read_through_its_own_port(appliance: Appliance, client: Client) -> None:
    client.chat("secret words", model="tiny-decoder", max_tokens=1)
    result = run(appliance, "logs", "unix:log.sock", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["state"] for line in lines if line["event"] == "state"] == [
        "booted", "configured", "catalogued", "key-checked", "released", "ready",
    ]  # fmt: skip
    assert {"event": "request", "status": 200} in lines
    assert b"secret" not in result.stdout
    assert b"request       status=200" in run(appliance, "logs", "unix:log.sock").stdout


def test_predicted_measurements_are_the_attested_ones(appliance: Appliance, client: Client, tmp_path: Path) -> None:
    status = client.status()
    measure = run(appliance, "deployment", "measure", str(appliance.deployment.configuration), "--json")
    assert json.loads(measure.stdout)["pcr17"] == status.pcrs[17]
    image = run(appliance, "simulator", "measure", "--json")
    assert json.loads(image.stdout) == {"simulated": True, **{f"pcr{index}": status.pcrs[index] for index in range(3)}}
    root = run(appliance, "simulator", "root", "--state=.")
    assert root.stdout == appliance.endpoint.anchor.read_bytes()


def test_a_dead_gateway_is_unreachable(appliance: Appliance) -> None:
    client = Client("http://127.0.0.1:1", policy=UnsafeAnyMeasurement(), timeout_s=5)
    with client, pytest.raises(Unreachable):
        client.chat("x", model="m")
