"""The promise: what the host holds is searched for a prompt and an answer that went through (docs/promises.md)."""

import base64
import json
import secrets
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from strongroom.client import GatewayProblem, RequestRefused
from strongroom.protocol.constants import MEDIA_SEALED_REQUEST
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.tensors import Tensor
from strongroom.protocol.ways import WayIn
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.part import Part
from tests.appliance.canary import Canary, Secret
from tests.appliance.conftest import client_of
from tests.appliance.taps import Tap

HOST_SIDE = ("gateway", "proxy", "kms")


class TappedAppliance(Appliance):
    """The same appliance, with a tap on each socket of the enclave."""

    def _run(self, name: str, module: str, *arguments: str, **environment: str) -> Part:
        if name == "proxy":
            self.egress = Tap.unix(self.folder / "proxy.sock", self.folder / "real.sock")
            arguments = tuple(argument.replace("unix:proxy.sock", "unix:real.sock") for argument in arguments)
        if name == "gateway":
            self.api = Tap.unix(self.folder / "tap.sock", self.folder / "api.sock")
            environment["STRONGROOM_ENCLAVE_API"] = "unix:tap.sock"
        return super()._run(name, module, *arguments, **environment)


@pytest.fixture(scope="module")
def tapped(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TappedAppliance]:
    with TappedAppliance(tmp_path_factory.mktemp("tapped"), packages) as appliance:
        yield appliance
        appliance.api.close()
        appliance.egress.close()


def held_by_the_host(canary: Secret, appliance: TappedAppliance, traffic: Tap) -> dict[str, int]:
    """Occurrences by place: traffic, files and logs, memory of every process of the host side."""
    places = {"client traffic": canary.count(traffic.seen), "enclave traffic": canary.count(appliance.api.seen)}
    places["egress traffic"] = canary.count(appliance.egress.seen)
    places["files and logs"] = canary.count_in_files(appliance.folder)
    log = socket.socket(socket.AF_UNIX)
    with log:
        log.connect(str(appliance.folder / "log.sock"))
        places["enclave log"] = canary.count(log.recv(1 << 20))
    for name in HOST_SIDE:
        places[f"memory of {name}"] = canary.count_in_memory(appliance.parts[name].process.pid)
    return places


def test_no_prompt_and_no_answer_is_found_at_the_host(tapped: TappedAppliance) -> None:
    canary = Canary()
    traffic = Tap.tcp(int(tapped.endpoint.url.rpartition(":")[2]))
    with client_of(tapped, f"http://127.0.0.1:{traffic.port}") as client:
        client.chat(canary.text, model="tiny-decoder", max_tokens=8)
        list(client.chat(canary.text, model="tiny-decoder", max_tokens=8, stream=True))
        [vector] = client.embed([canary.text])
        # A tensor model returns what it was given, transformed; a refusal could quote it.
        with pytest.raises(RequestRefused):
            client.infer("tiny-tensor", {canary.text: Tensor("uint8", [40], canary.text.encode()[:40].ljust(40))})
        with pytest.raises(RequestRefused):
            client.chat(canary.text * 1000, model="tiny-decoder")
        with pytest.raises(RequestRefused):
            client.chat(canary.text, model="tiny-tensor")
    answer = Secret(struct.pack(f"<{len(vector)}f", *vector))
    for secret in (canary, answer):
        found = held_by_the_host(secret, tapped, traffic)
        assert found == dict.fromkeys(found, 0)
    traffic.close()
    assert len(traffic.seen) > 10_000
    assert len(tapped.api.seen) > 10_000


def test_positive_control_a_client_that_forgets_to_seal_is_found(tapped: TappedAppliance) -> None:
    canary = Canary()
    traffic = Tap.tcp(int(tapped.endpoint.url.rpartition(":")[2]))
    head = SealedRequestHead(WayIn.KMS_ENVELOPE, bytes(32), bytes(16), 0, "tiny-decoder").to_bytes()
    for encoding in (canary.text.encode(), canary.text.encode().hex().encode()):
        request = urllib.request.Request(
            f"http://127.0.0.1:{traffic.port}/v1/sealed", head + encoding, {"Content-Type": MEDIA_SEALED_REQUEST}
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert canary.count(caught.value.read()) == 0
    found = held_by_the_host(canary, tapped, traffic)
    traffic.close()
    assert found["client traffic"] == 2
    assert found["enclave traffic"] == 2


@pytest.mark.parametrize("form", Canary().leaks)
def test_positive_control_every_form_is_found_in_bytes_and_files(form: str, tmp_path: Path) -> None:
    canary = Canary()
    for number, leak in enumerate(canary.leaks[form]):
        assert canary.count(b"before" + leak + b"after") == 1
        (tmp_path / str(number)).write_bytes(secrets.token_bytes(100) + leak)
    assert canary.count_in_files(tmp_path) == len(canary.leaks[form])


def test_the_forms_are_the_encodings_that_others_would_make() -> None:
    canary = Canary()
    raw = canary.text.encode()
    made = [raw, raw.hex().encode(), raw.hex().upper().encode(), canary.text.encode("utf-16-le")]
    made += [base64.b64encode(b"x" * shift + raw + b"tail") for shift in range(6)]
    made.append(json.dumps({"prompt": canary.text}).encode())
    assert [canary.count(encoded) for encoded in made] == [1] * len(made)


def test_positive_control_a_process_that_holds_it_is_found() -> None:
    canary = Canary()
    code = "import sys; held = sys.stdin.readline(); print('held', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(canary.text + "\n")
        child.stdin.flush()
        assert child.stdout.readline() == "held\n"
        assert canary.count_in_memory(child.pid) > 0
        child.stdin.write("\n")


def test_a_gateway_problem_quotes_nothing(tapped: TappedAppliance) -> None:
    with client_of(tapped, tapped.endpoint.url + "/CANARY") as client, pytest.raises(GatewayProblem) as caught:
        client.chat("x", model="tiny-decoder")
    assert "CANARY" not in str(caught.value)
