"""What the enclave says of models that nobody wrote for us: what a caller has to know to ask them."""

import pytest

from tests.conformance.asking import Asking

pytestmark = pytest.mark.real_model

SHAPES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "magika": ({"bytes": ["unk__214", 2048]}, {"target_label": ["unk__215", 214]}),
    "rapidocr-cls": ({"x": [None, 3, None, None]}, {"save_infer_model/scale_0.tmp_1": [None, 2]}),
    "silero-vad": (
        {"input": [None, None], "state": [2, None, 128], "sr": []},
        {"output": [None, 1], "stateN": [None, None, None]},
    ),
}


@pytest.mark.parametrize("model", SHAPES)
def test_each_says_what_it_takes_and_gives(asking: Asking, model: str) -> None:
    described = asking.describe(model)
    assert (described.version, described.task) == ("1", "infer")
    shapes = tuple({port.name: port.shape for port in side} for side in (described.inputs, described.outputs))
    assert shapes == SHAPES[model]
