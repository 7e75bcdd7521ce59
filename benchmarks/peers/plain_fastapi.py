"""A plain FastAPI server around onnxruntime: no batching, one request in one thread, as many at a time as there are
sessions' worth of cores.

    python -m benchmarks.peers.plain_fastapi PORT PACKAGE THREADS

THREADS of onnxruntime work on one request; as many requests run at a time as make use of all cores.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import orjson
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

from benchmarks.peers.encoder import Encoder


class Text(BaseModel):
    """What is asked."""

    text: str


def app_of(encoder: Encoder, at_a_time: int) -> FastAPI:
    """One route."""
    app, free = FastAPI(), threading.Semaphore(at_a_time)

    @app.post("/embed")
    def embed(question: Text) -> Response:
        with free:
            [vector] = encoder.vectors([encoder.tokens(question.text)])
        body = orjson.dumps({"vector": vector}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, media_type="application/json")

    return app


if __name__ == "__main__":
    port, package, threads = sys.argv[1:]
    at_a_time = max(1, (os.cpu_count() or 1) // int(threads))
    uvicorn.run(
        app_of(Encoder(Path(package), int(threads)), at_a_time), port=int(port), log_level="error", access_log=False
    )
