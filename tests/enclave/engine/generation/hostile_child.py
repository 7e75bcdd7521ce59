"""`python -m tests.enclave.engine.generation.hostile_child TOKENIZER_JSON`: what hostile schemas cost, in CPU time."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from enclave.engine.errors import InvalidRequest
from enclave.engine.generation.constraint import Constraints
from enclave.engine.tokenization import Tokenizer
from tests.enclave.engine.generation.hostile_schemas import WITHIN_BOUNDS, text_of_schema

_STOP = [0, 2]
_TOKENS = 300


def cost(constraints: Constraints, schema: str, vocabulary: int) -> dict[str, float]:
    """Milliseconds to start by the schema, and of the worst step of a model that says anything but the end."""
    random = np.random.default_rng(0)
    spent: list[float] = []
    try:
        with _timed(spent):
            held = constraints.follow(schema)
        for _ in range(_TOKENS):
            logits = random.standard_normal(vocabulary).astype(np.float32)
            logits[_STOP] = -np.inf
            with _timed(spent):
                held.push(int(held.masked(logits).argmax()))
    except InvalidRequest:
        pass  # too complex, or at its end: a stop token was the only one
    return {"start_ms": spent[0], "worst_step_ms": max(spent[1:], default=0.0)}


@contextmanager
def _timed(spent: list[float]) -> Iterator[None]:
    before = time.thread_time()
    try:
        yield
    finally:
        spent.append(round(1e3 * (time.thread_time() - before), 1))


def main() -> None:
    """The cost of each of WITHIN_BOUNDS, as JSON."""
    tokenizer = Tokenizer.from_bytes(Path(sys.argv[1]).read_bytes())
    vocabulary = tokenizer.ids
    constraints = Constraints(tokenizer, _STOP, vocabulary)
    costs = {name: cost(constraints, text_of_schema(each), vocabulary) for name, each in WITHIN_BOUNDS.items()}
    print(json.dumps(costs, indent=1))


if __name__ == "__main__":
    main()
