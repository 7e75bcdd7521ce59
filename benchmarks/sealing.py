"""What sealing costs beside the primitives, what a streamed chunk costs, and what a receipt costs.

    python benchmarks/sealing.py [--json] [--short]

The library of client and enclave, both in this process; CPU time of the thread, so that a busy machine does not count.
All paths take turns in one run, over random contents that are all different.

* exchange: a request sealed and opened, and its response sealed and opened, in the default suite (X-Wing), with 1 KiB,
  64 KiB and 1 MiB of padded plaintext each way. Contents fill their bucket: every path encrypts as many bytes, but for
  the shortest response, whose bucket has 2 KiB in all paths except the first. Four paths:
    bare: HPKE and AES-256-GCM on loose pieces, to and fro, the keys at hand. There is no message that could be sent.
    by hand: what the limits are held against. The primitives called one after the other so that the bytes on the wire
      are the protocol's: padding and plaintext put together, head and ciphertext put together, the response's key from
      SHA-256 and HKDF. Nothing is parsed, and nothing checked but the tags (exchange/by_hand.py; a test opens it).
    sealing: the protocol's own functions from bytes to bytes, with every check.
    whole: from task to task and from answer to answer, canonical CBOR included: what a caller sees. It has no limit.
  The table has sealing in relation to both. Where AES-GCM has instructions of its own, to copy a megabyte takes a good
  part of the time of encrypting it: even the exchange by hand takes longer than the bare calls, by a third at 1 MiB.
* stream: 64 MiB in chunks of 64 KiB, each sealed and then opened, and how much of the speed of AES-256-GCM is left: by
  hand, with the same frames (this has the limit), and bare.
* receipt: salts, two commitments to 1 KiB, claims, signature, leaf, and its place in the log.

Exit 0 when every limit is reached, 1 otherwise, 2 for unusable arguments.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.exchange.command import main

if __name__ == "__main__":
    sys.exit(main())
