"""How long an enclave takes from the start of its process to its first answer, and how fast its weights stream in.

    python benchmarks/cold_start.py [--json] [--short]

The simulated enclave boots again and again on this machine, each time as a new process; dev KMS and proxy are up. The
parent's own code takes the steps of docs/boot.md, one right after the other. Medians of the boots, by the wall clock:

* boot: from the start of the process to the first line of Python; in a booted image also kernel and init.
* imports: to the first answer of the control port.
* configure; attest (PCR16 locked, the first document, the keys of this boot); key check and key release, both with the
  enclave's TLS to the dev KMS through the proxy; model load (tiny-decoder: two layers, 512 tokens of context).
* ready: to the first evidence from the API's port.

Beside them, without a limit, the same without compiled modules in the enclave process: so they are in the image.

* sealed weights: what `benchmarks/weights.py` measures with the gateway's default number of connections, from the first
  byte to the answer, to one core's raw AES-256-GCM on chunks of the same size in the same run. Beside it, without a
  limit, raw SHA-256, of which the enclave takes one of every file, and one UNIX socket whose bytes nobody looks at.

UNIX sockets stand in for vsock and a software NSM for the hardware: nothing here is the figure of a Nitro enclave.

    python benchmarks/cold_start.py --json > benchmarks/results/cold_start.json        (where nothing else runs)

Exit 0 when every limit is reached, 1 otherwise, 2 for unusable arguments.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.startup.command import main

if __name__ == "__main__":
    sys.exit(main())
