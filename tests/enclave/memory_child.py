"""`python -m tests.enclave.memory_child BYTES`: a graph asks for more than its process may have, beside other work.

Prints what became of the run, whether the other thread went on, and what the next run gave.
"""

import json
import os
import sys
import threading

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np

from enclave.engine.errors import EngineError
from enclave.engine.sessions import open_session, run_session
from enclave.hardening import bound_memory
from tests.enclave.engine.graphs import expanding


def main(memory_bytes: int) -> None:
    """Once under the bound."""
    session = open_session(expanding(), threads=2)
    bound_memory(memory_bytes)
    over, failures = threading.Event(), list[str]()

    def beside() -> None:
        while not over.is_set():
            try:
                bytes(1 << 16)
            except MemoryError:
                failures.append("MemoryError")

    other = threading.Thread(target=beside)
    other.start()
    outcomes = []
    for elements in (memory_bytes, 1 << 40):
        try:
            run_session(session, {"shape": np.array([elements, 1])})
        except EngineError as error:
            outcomes.append(type(error).__name__)
    over.set()
    other.join()
    [found] = run_session(session, {"shape": np.array([2, 3])}).values()
    print(json.dumps({"outcomes": outcomes, "failures": failures, "then": found.shape}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
