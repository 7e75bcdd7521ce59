"""The stock clients through the whole appliance: in process and over `strongroom serve-local`."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Literal

import httpx2
import openai
import pytest
from pydantic import BaseModel

from strongroom.client import Client
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.appliance import Appliance
from tests.appliance.conftest import openai_of

ASKED: Any = {"model": "tiny-decoder", "messages": [{"role": "user", "content": "hello"}], "temperature": 0}


@pytest.fixture
def in_process(appliance: Appliance) -> Iterator[openai.OpenAI]:
    with openai_of(appliance) as client:
        yield client


@pytest.fixture(scope="module")
def local(appliance: Appliance) -> Iterator[dict[str, Any]]:
    """What `serve-local` printed."""
    endpoint = appliance.endpoint
    trusted = [f"--policy={endpoint.policy}", f"--trust-anchor={endpoint.anchor}", "--allow-simulated", "--json"]
    command = [sys.executable, "-m", "strongroom", "serve-local", f"--url={endpoint.url}", *trusted]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        yield json.loads(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0


@pytest.fixture
def over_loopback(local: dict[str, Any]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=local["openai_base_url"], api_key=local["api_key"], max_retries=0) as client:
        yield client


@pytest.fixture(params=["in_process", "over_loopback"])
def asking(request: pytest.FixtureRequest) -> openai.OpenAI:
    asking: openai.OpenAI = request.getfixturevalue(request.param)
    return asking


def test_both_ways_answer_as_our_own_client_does(asking: openai.OpenAI, client: Client) -> None:
    expected = client.chat("hello", model="tiny-decoder", max_tokens=8)
    whole = asking.chat.completions.create(**ASKED, max_tokens=8)
    stream = asking.chat.completions.create(**ASKED, max_tokens=8, stream=True)
    assert whole.choices[0].message.content == expected.text
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == expected.text
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (
        expected.prompt_tokens,
        expected.completion_tokens,
    )
    vectors = asking.embeddings.create(model="tiny-encoder", input=["one", "two"])
    own = client.embed(["one", "two"], model="tiny-encoder")
    assert [item.embedding for item in vectors.data] == own
    assert vectors.usage.prompt_tokens == vectors.usage.total_tokens == own.prompt_tokens > 2
    assert sorted(model.id for model in asking.models.list()) == ["tiny-decoder", "tiny-encoder", "tiny-tensor"]


def test_a_completion_tells_the_bytes_of_its_text(asking: openai.OpenAI) -> None:
    options: Any = {"model": "tiny-decoder", "prompt": "hello", "temperature": 0, "max_tokens": 8}
    choice = asking.completions.create(**options, logprobs=2).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert choice.text == asking.completions.create(**options).choices[0].text
    assert 1 <= len(choice.logprobs.tokens) <= 8


class Verdict(BaseModel):
    """What the package makes a schema of."""

    fits: bool
    side: Literal["left", "right"]


def test_an_answer_is_held_to_the_schema_of_the_package(asking: openai.OpenAI) -> None:
    parsed = asking.chat.completions.parse(**ASKED, max_tokens=64, response_format=Verdict)
    assert isinstance(parsed.choices[0].message.parsed, Verdict)


def test_refusals_come_from_inside_the_seal(asking: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        asking.chat.completions.create(**{**ASKED, "model": "other"})
    with pytest.raises(openai.BadRequestError) as wrong:
        asking.chat.completions.create(**{**ASKED, "model": "tiny-encoder"})
    long: Any = {"role": "user", "content": "x" * 1000}
    with pytest.raises(openai.BadRequestError) as too_long:
        asking.chat.completions.create(**{**ASKED, "messages": [long]}, stream=True)
    codes = [caught.value.code for caught in (unknown, wrong, too_long)]
    assert codes == ["model_not_found", "wrong-task", "context_length_exceeded"]


def test_a_tensor_model_over_loopback(local: dict[str, Any], client: Client) -> None:
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}]}
    headers = {"Authorization": f"Bearer {local['api_key']}"}
    model = f"{local['url']}/v2/models/tiny-tensor"
    metadata = httpx2.get(model, headers=headers).json()
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]
    url = f"{model}/infer"
    answer = httpx2.post(url, json=body, headers=headers).json()
    data = bytes.fromhex("0000803f000000400000404000008040")
    expected = client.infer("tiny-tensor", {"x": Tensor("float32", [1, 4], data)})["y"]
    [output] = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("y", "FP32", [1, 3])
    assert [httpx2.post(url, json=body).status_code, len(output["data"])] == [401, len(expected.data) // 4]
