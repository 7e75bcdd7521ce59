"""The simulated enclave, which first says when its Python was there: python -m benchmarks.startup.enclave ARGUMENTS."""

import sys
import time

if __name__ == "__main__":
    print(time.monotonic_ns(), flush=True)  # one clock for all processes of a machine
    from strongroom.simulator.enclave import main

    sys.exit(main())
