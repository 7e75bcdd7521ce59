"""How fast sealed weights reach the enclave, over one connection and over several.

    python benchmarks/weights.py [--json] [--size-mib N] [--runs N]

The parent's own code reads a sealed model of random bytes and sends it over a UNIX socket to a process with the
enclave's HTTP protocol and receiver and the image's allocator settings, which opens every chunk and hashes the file.
One connection and the gateway's default number take turns; figures are medians by the wall clock, from the first byte
to the answer.

Not measured: vsock, KMS, the model's loading. Both sides share this machine's cores.

Exit 0, or 2 for unusable arguments: there is no limit to reach.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.delivery.command import main

if __name__ == "__main__":
    sys.exit(main())
