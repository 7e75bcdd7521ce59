"""`python -m tests.enclave.engine.tensors.endless`: runs a tensor model without end, and says when it begins."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np

from enclave.engine.arrays import to_tensor
from enclave.engine.cancellation import Cancellation
from enclave.engine.tensors.worker import Worker
from tests.enclave.engine.graphs import spinning

if __name__ == "__main__":
    worker = Worker(spinning(), {}, threads=1)
    print("running", flush=True)
    worker.run({"times": to_tensor(np.array(1 << 62))}, Cancellation())
