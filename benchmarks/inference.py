"""Sealed inference beside the plain runtime, and beside servers that do not seal.

    python benchmarks/inference.py [--json] [--no-peers] [--short] [--peers DIR] [--models DIR]

All on this machine's cores: client SDK, gateway and simulated enclave (processes of their own, UNIX sockets between
gateway and enclave), the load generator, and whatever they are compared with. The sides take turns in one run; a ratio
is the median of the ratios of the rounds, so that a busy machine hits both sides of it. The CPU time beside it shows
what the wall clock cannot.

* embeddings: all-MiniLM-L6 in float32, texts of 128 and of 32 tokens, one in each request, 16 and 64 clients, each of
  which asks again when it has its answer. What it is held against:
    raw onnxruntime: session.run and pooling in one process, on texts that are tokens already and equally long; with
      the fastest of all batch sizes, one session of two threads or two of one, with and without arena, which a race
      before has found.
    plain FastAPI (one request in one thread), mosec and mlserver (dynamic batching, a worker for each core), at 32
      tokens: the same file, the same few lines around the session, the same HTTP client.
* latency: one sealed client and one of plain FastAPI take turns with the same text; the median of the differences.
* generation: SmolLM2-135M in int8, prompts of 42 tokens, 128 new tokens, greedy, 16 streams at once and one alone.
    raw slot loop: numpy and onnxruntime, no tokenizer, argmax; the same graph, past and present bound to one buffer;
      as many rows as the enclave has slots; each prompt runs alone, then all rows take their steps together.
    unbatched server: plain FastAPI, one request in one thread, one thread for each core, no streaming.
* quality: the perplexity of the int8 build to that of float32 on the text of `strongroom model build --check`.

The load generator is a process of its own and knows every answer beforehand, from running each question alone: one
that does not come is lost, one that belongs to another question is mixed, one that belongs to none is wrong.

    python benchmarks/inference.py --json > benchmarks/results/inference.json        (where nothing else runs)

Exit 0 when every limit is reached, no answer is lost, wrong or mixed, and no peer is skipped (but by --no-peers); 1
otherwise, 2 for unusable arguments.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.serving.command import main

if __name__ == "__main__":
    sys.exit(main())
