"""What the enclave's way to KMS adds to a key release, whom stalled connections keep out, what envelopes cost.

    python benchmarks/kms.py [--json] [--short]

Everything runs on this machine: the dev KMS with TLS and the proxy as processes of their own, the enclave's KMS client
and plain boto3 in this one. Three things are measured, by the wall clock:

* key release: the enclave's client asks for one data key through the proxy, with a new attestation document each time,
  and opens what comes back. Plain boto3 makes the same call straight to the same dev KMS, with TLS, the same role, key
  policy and data key, and a document of the same size that was made before; it opens nothing. They take turns, over
  connections that are kept. So what is added is all of it: document, proxy, checks, opening.
* stalled connections: while the proxy holds 300 that are silent, half-spoken or never read, 100 enclave clients
  get a key each, 32 at a time, over new connections, whose handshake counts and which stay open: all 400 are open at
  the end, by the proxy's count.
* envelopes: data keys of requests through the enclave's cache, and the calls that the dev KMS counted meanwhile.

Not measured: AWS. Others measured 76 to 79 ms for a release by the real KMS. The document comes from the software NSM,
not from Nitro hardware, and UNIX sockets stand in for vsock.

Exit 0 when every limit is reached, 1 otherwise, 2 for unusable arguments.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from enclave.hardening import clear_environment

if __name__ == "__main__":
    # As in the image, before anything imports ssl: it decides which key exchange the enclave's TLS offers.
    clear_environment()
    from benchmarks.release.command import main

    sys.exit(main())
