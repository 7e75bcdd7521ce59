"""The real models through the whole path: sealed question in, sealed answer out."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from enclave.engine.capacity import Capacity
from strongroom.client import Client
from strongroom.simulator.appliance import Appliance
from tests.appliance.conftest import client_of, openai_of
from tests.real_models import real_model

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    packages = [real_model("smollm2-135m"), real_model("minilm-l6")]
    with Appliance(tmp_path_factory.mktemp("real"), packages) as appliance:
        yield appliance


@pytest.fixture(scope="module")
def client(appliance: Appliance) -> Iterator[Client]:
    with client_of(appliance) as client:
        yield client


def test_a_chat_model_knows_a_capital(client: Client) -> None:
    system = {"role": "system", "content": "You answer questions in one sentence."}
    answer = client.chat([system, {"role": "user", "content": "What is the capital of France?"}], max_tokens=32)
    assert "Paris" in answer.text
    assert answer.finish == "stop"


def test_an_embedding_model_knows_what_is_alike(client: Client) -> None:
    texts = ["A sore throat was treated with antibiotics.", "The patient was given penicillin.", "Interest rates rose."]
    treated, given, rates = client.embed(texts)
    assert dot(treated, given) > 0.3 > dot(treated, rates)


def test_closing_a_stream_frees_its_slot_at_once(appliance: Appliance) -> None:
    """Each answer would hold its slot for half a minute and more; one more is asked for than there are slots."""
    asked: Any = {"model": "smollm2-135m", "prompt": "1, 2, 3, 4, 5, 6,", "temperature": 0, "max_tokens": 1000}
    with openai_of(appliance, timeout=20) as client:
        for _ in range(Capacity().slots + 1):
            with client.completions.create(**asked, stream=True) as stream:
                assert len(list(islice(stream, 3))) == 3


def dot(left: list[float], right: list[float]) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))
