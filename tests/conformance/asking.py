"""Ask a model twice: sealed, through client, gateway and enclave; and plain onnxruntime in this process."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_array, to_tensor
from strongroom.client import Client
from strongroom.client.answers import ModelDescription
from tests.models.running import open_session

Arrays = dict[str, NDArray[Any]]


class Asking:
    """The sealed answers of these models, each the same bit for bit as the plain runtime's."""

    def __init__(self, client: Client, packages: dict[str, Path]) -> None:
        self._client, self._packages = client, packages
        self._sessions: dict[str, Any] = {}

    def infer(self, model: str, **inputs: NDArray[Any]) -> Arrays:
        """All outputs by name."""
        answer = self._client.infer(model, {name: to_tensor(array) for name, array in inputs.items()})
        sealed = {name: to_array(tensor) for name, tensor in answer.items()}
        for name, expected in self._plain(model, inputs).items():
            assert (sealed[name].dtype, sealed[name].shape) == (expected.dtype, expected.shape)
            assert sealed[name].tobytes() == expected.tobytes()
        return sealed

    def describe(self, model: str) -> ModelDescription:
        """What the enclave says it is."""
        return self._client.describe(model)

    def _plain(self, model: str, inputs: Arrays) -> Arrays:
        if model not in self._sessions:
            self._sessions[model] = open_session(self._packages[model] / "model.onnx")
        session = self._sessions[model]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, map(np.asarray, session.run(None, inputs)), strict=True))
