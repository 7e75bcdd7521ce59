"""`python -m tests.enclave.mutated --cases N --seed S`: as many mutated requests as a release takes, one JSON line."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from strongroom.models.tiny import build_tiny_tensor
from strongroom.simulator.appliance import Appliance
from tests.enclave.mutated.expectations import faults
from tests.enclave.mutated.run import judge


def main() -> int:
    """Exit code 1 if the enclave did anything that it must not do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
        package = build_tiny_tensor(Path(folder) / "tiny-tensor")
        with Appliance(Path(folder) / "appliance", [package]) as appliance:
            pid = appliance.parts["enclave"].process.pid
            verdict = judge(appliance, arguments.cases, arguments.seed)
            found = faults(verdict, pid, appliance)
    said = {"simulated": True, "cases": verdict.cases, "statuses": verdict.statuses, "reached": verdict.reached}
    print(json.dumps({**said, "grown_bytes": verdict.grown_bytes, "s": round(verdict.seconds, 1), "faults": found}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
