"""How fast documents are verified: against the bare cryptography, and against the other verifiers.

    python benchmarks/attestation.py --corpus DIR [--json] [--runs N] [--peers DIR]

Figures are medians of CPU time (the thread's own clock, so that a busy machine does not count) over the genuine enclave
documents in DIR. All paths take turns in one run, ten documents to a turn (``peers/turns.py``). What runs:

* lower bound: decode, parse, five ECDSA P-384 verifications, no checks. All ratios are to this one.
* cold: the verifier, every rule, archived, any measurement, nothing remembered.
* warm: the same with a chain cache that has seen all chains.
* peers: other verifiers, each in its own environment (``make peers``). A peer is compared with the lower bound over the
  documents that it takes to the end. All peers check less; none is charged for the pipe to its process.

Exit 0 when every limit is reached and no peer is skipped, 1 otherwise, 2 for unusable arguments.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # or this file would stand in for the package ``attestation``

from benchmarks.verification.command import main

if __name__ == "__main__":
    sys.exit(main())
