"""Two models in memory for one, through all processes: both answer, in turns."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from enclave.engine.capacity import Capacity
from enclave.engine.footprint import footprint
from strongroom.client import Client, GatewayProblem
from strongroom.models.package import load_package
from strongroom.protocol.configuration import Limits, Windows
from strongroom.protocol.problems import Problem
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.appliance import Appliance
from tests.appliance.conftest import client_of
from tests.appliance.control import step
from tests.appliance.test_path import options, run

CAPACITY = Capacity()
X = {"x": Tensor("float32", [1, 4], bytes(16))}
Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def small(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """The decoder comes first in the catalogue."""
    both = [packages[0], packages[2]]
    needed = [footprint(load_package(each)[1], CAPACITY).loading_bytes for each in both]
    limits = Limits(model_memory_mib=-(-max(needed) >> 20) + 1)
    folder = tmp_path_factory.mktemp("small")
    with Appliance(folder, both, limits=limits, windows=Windows(model_residence_s=1)) as appliance:
        yield appliance


def eventually(ask: Callable[[], Answer]) -> tuple[Answer, int]:
    """The answer, and how often the enclave was busy before."""
    deadline = time.monotonic() + 30
    for tries in count():
        try:
            return ask(), tries
        except GatewayProblem as problem:
            if problem.problem is not Problem.BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    raise AssertionError("count() does not end")


def models_of(appliance: Appliance) -> dict[str, Any]:
    """What /readyz says of the enclave's models."""
    with urllib.request.urlopen(f"{appliance.endpoint.url}/readyz") as answer:
        models: dict[str, Any] = json.load(answer)["enclaves"][0]["models"]
    return models


def chat(client: Client) -> str:
    return client.chat("hello", model="tiny-decoder", max_tokens=4).text


def test_both_models_answer_in_turns(small: Appliance) -> None:
    with closing(client_of(small)) as client:
        first, waited = eventually(lambda: chat(client))
        assert waited == 0  # the first of the catalogue is loaded when the enclave is ready
        outputs, waited = eventually(lambda: client.infer("tiny-tensor", X))
        assert waited > 0
        again, waited = eventually(lambda: chat(client))
        assert waited > 0
        outputs_again, _ = eventually(lambda: client.infer("tiny-tensor", X))
    assert first == again
    assert outputs == outputs_again


def test_status_and_readiness_say_what_is_loaded(small: Appliance) -> None:
    with closing(client_of(small)) as client:
        eventually(lambda: client.infer("tiny-tensor", X))
        assert {model.id: model.loaded for model in client.status().models} == {
            "tiny-decoder": False,
            "tiny-tensor": True,
        }
    deadline = time.monotonic() + 10
    while models_of(small) != {"loaded": 1, "wanted": 0}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    shown = run(small, "status", *options(small))
    assert b"tiny-decoder (chat, not loaded), tiny-tensor (infer)" in shown.stdout


def test_a_stream_is_not_cut_for_another_model(small: Appliance) -> None:
    with closing(client_of(small)) as client, closing(client_of(small)) as other:
        eventually(lambda: chat(client))
        whole = client.chat("hello", model="tiny-decoder", max_tokens=400)
        stream = client.chat("hello", model="tiny-decoder", max_tokens=400, stream=True)
        pieces = [next(stream)]
        with pytest.raises(GatewayProblem):
            other.infer("tiny-tensor", X)
        pieces += list(stream)
        assert "".join(pieces) == whole.text
        eventually(lambda: other.infer("tiny-tensor", X))


def test_bytes_that_are_not_the_models_are_dropped(small: Appliance) -> None:
    """A hostile parent in the gateway's place: the enclave serves what it has."""
    with closing(client_of(small)) as client:
        eventually(lambda: chat(client))
        socket = small.folder / "control.sock"
        sealed = small.deployment.sealed / "tiny-decoder.sealed"
        for path, body in (("head", b"x"), ("weights/0/1", sealed.read_bytes()), ("weights/1/1", b"")):
            answer = step(socket, "PUT", f"/boot/models/tiny-tensor/{path}", body)
            assert answer is not None
            assert answer[0] == 503
        chat(client)
    lines = [json.loads(line) for line in run(small, "logs", "unix:log.sock", "--json").stdout.splitlines()]
    assert {"event": "step-failed", "code": "malformed-input"} in lines
