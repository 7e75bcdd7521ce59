"""mosec: a front in Rust, dynamic batching, one worker for each core.

python -m benchmarks.peers.mosec_server --port PORT        (MODEL_PACKAGE and MAX_BATCH in the environment)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import orjson
from mosec import Server, Worker

from benchmarks.peers.encoder import Encoder

_WAIT_MS = 2
_PACKAGE = "MODEL_PACKAGE"  # the workers are processes that are spawned


class Embedding(Worker):  # type: ignore[misc]  # mosec is not in the environment that is type-checked
    """One process with a session of one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = Encoder(Path(os.environ[_PACKAGE]), 1)

    def deserialize(self, data: bytes) -> Any:
        """From JSON."""
        return orjson.loads(data)

    def serialize(self, data: Any) -> bytes:
        """To JSON."""
        return bytes(orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY))

    def forward(self, data: list[dict[str, str]]) -> list[dict[str, Any]]:
        """One batch."""
        vectors = self._encoder.vectors([self._encoder.tokens(each["text"]) for each in data])
        return [{"vector": vector} for vector in vectors]


if __name__ == "__main__":
    os.environ.setdefault(_PACKAGE, sys.argv[1])
    batch, sys.argv[1:] = int(sys.argv[2]), sys.argv[3:]
    server = Server()
    server.append_worker(Embedding, num=os.cpu_count() or 1, max_batch_size=batch, max_wait_time=_WAIT_MS)
    server.run()
