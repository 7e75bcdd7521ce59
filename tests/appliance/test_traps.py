"""A caller whose numbers end the process of their model, through the seal: nobody else notices."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from strongroom.client import Client, RequestRefused
from strongroom.models.assemble import Identity, write_tensor_model
from strongroom.models.tiny import build_tiny_decoder
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.appliance import Appliance
from tests.appliance.conftest import client_of
from tests.enclave.engine.graphs import dividing


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("traps")
    graph = dividing("Div", "int64")
    packages = [
        write_tensor_model(folder / "div", graph, Identity("div", "none", "made")),
        build_tiny_decoder(folder / "tiny-decoder"),
    ]
    with Appliance(folder / "state", packages) as running:
        yield running


def divide(client: Client, a: int, b: int) -> int:
    tensors = {name: Tensor("int64", [1], np.array([value]).tobytes()) for name, value in (("a", a), ("b", b))}
    return int.from_bytes(client.infer("div", tensors)["c"].data, "little", signed=True)


def test_a_division_that_traps_fails_its_own_request_alone(appliance: Appliance) -> None:
    with closing(client_of(appliance)) as client, closing(client_of(appliance)) as other:
        alone = other.chat("hello", model="tiny-decoder", max_tokens=200).text
        stream = iter(other.chat("hello", model="tiny-decoder", max_tokens=200, stream=True))
        begun = next(stream)
        for _ in range(2):
            with pytest.raises(RequestRefused) as caught:
                divide(client, -(1 << 63), -1)
            assert caught.value.failure_code == "internal"
            assert divide(client, 7, -1) == -7
        assert begun + "".join(stream) == alone
