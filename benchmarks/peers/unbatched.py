"""A plain FastAPI server around a decoder: no batching, one request in one thread, one thread for each core.

python -m benchmarks.peers.unbatched PORT PACKAGE CONTEXT
"""

from __future__ import annotations

import os
import queue
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.decoder_loop import DecoderLoop


class Prompt(BaseModel):
    """What is asked."""

    tokens: list[int]
    max_tokens: int


def app_of(loops: list[DecoderLoop]) -> FastAPI:
    """One route; a request takes a loop for itself."""
    app, free = FastAPI(), queue.SimpleQueue[DecoderLoop]()
    for loop in loops:
        free.put(loop)

    @app.post("/generate")
    def generate(prompt: Prompt) -> dict[str, list[int]]:
        loop = free.get()
        try:
            [tokens] = loop.generate([prompt.tokens], prompt.max_tokens)
        finally:
            free.put(loop)
        return {"tokens": tokens}

    return app


if __name__ == "__main__":
    port, package, context = sys.argv[1:]
    graph = Path(package) / "model.onnx"
    loops = [DecoderLoop(graph, threads=1, rows=1, context=int(context)) for _ in range(os.cpu_count() or 1)]
    uvicorn.run(app_of(loops), port=int(port), log_level="error", access_log=False)
