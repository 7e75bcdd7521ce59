"""mlserver: Open Inference Protocol v2, adaptive batching, one parallel worker for each core.

    python -m benchmarks.peers.mlserver_runtime PORT PACKAGE MAX_BATCH FOLDER

Writes its two settings files into FOLDER and serves it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mlserver import MLModel
from mlserver.cli.main import root
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.peers.encoder import Encoder

_WAIT_S = 0.002


class Embedding(MLModel):  # type: ignore[misc]  # mlserver is not in the environment that is type-checked
    """One process with a session of one thread."""

    async def load(self) -> bool:
        """Open the package."""
        self._encoder = Encoder(Path(self.settings.parameters.uri), 1)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One batch: inputs of several requests stand below one another."""
        texts = StringCodec.decode_input(payload.inputs[0])
        vectors = self._encoder.vectors([self._encoder.tokens(text) for text in texts])
        output = ResponseOutput(
            name="vector", shape=list(vectors.shape), datatype="FP32", data=vectors.ravel().tolist()
        )
        return InferenceResponse(model_name=self.name, outputs=[output])


def settings(port: int, package: str, batch: int) -> dict[str, dict[str, object]]:
    """The files by name."""
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    server = {**ports, "host": "127.0.0.1", "parallel_workers": os.cpu_count() or 1, "debug": False}
    model = {
        "name": "minilm",
        "implementation": "benchmarks.peers.mlserver_runtime.Embedding",
        "max_batch_size": batch,
        "max_batch_time": _WAIT_S,
        "parameters": {"uri": package},
    }
    return {"settings.json": server, "model-settings.json": model}


if __name__ == "__main__":
    port, package, batch, folder = sys.argv[1:]
    for name, content in settings(int(port), package, int(batch)).items():
        (Path(folder) / name).write_text(json.dumps(content))
    root(["start", folder])
