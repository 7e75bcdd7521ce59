"""Embeddings: texts in, one vector each out."""

from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_tensor
from enclave.engine.cancellation import Cancellation
from enclave.engine.encoder_graph import EncoderGraph
from enclave.engine.errors import ModelRejected, TooLong, WrongTask
from enclave.engine.pooling import pool
from enclave.engine.sessions import open_session
from enclave.engine.tokenization import Tokenizer, check_length
from strongroom.protocol.catalogue import EmbedSettings, ModelManifest
from strongroom.protocol.payloads import Embeddings, EmbedTask, Event, Task

MAX_BATCH_TOKENS = 2048
"""Texts run together as long as their number times the longest of them stays within this many tokens."""


class Encoder:
    """An encoder model; the texts of one request share batches, those of two requests never do."""

    def __init__(self, settings: EmbedSettings, tokenizer: Tokenizer, graph: EncoderGraph) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._graph = graph

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "Encoder":
        """Load a package of task "embed"; raise ModelRejected."""
        if manifest.embed is None or manifest.tokenizer is None:
            raise ModelRejected("manifest: expected embed settings and a tokenizer, got none")
        tokenizer = Tokenizer.from_bytes(files[manifest.tokenizer])
        graph = EncoderGraph(open_session(files[manifest.graph], threads=threads), manifest.embed.dimensions)
        return cls(manifest.embed, tokenizer, graph)

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """Yield one Embeddings, float32 [texts, dimensions].

        Raises WrongTask, InvalidRequest, TooLong, InferenceFailed, and Cancelled at the next batch after a
        cancellation.
        """
        if not isinstance(task, EmbedTask):
            raise WrongTask("this model takes embed tasks only")
        texts = []
        for index, text in enumerate(task.texts):
            cancellation.check()
            texts.append(self._encode(index, text))
        vectors = np.zeros((len(texts), self._settings.dimensions), dtype=np.float32)
        for batch in batches([len(text) for text in texts]):
            cancellation.check()
            vectors[batch] = self._embed([texts[index] for index in batch])
        yield Embeddings(to_tensor(vectors))

    def _encode(self, index: int, text: str) -> list[int]:
        limit = self._settings.context_tokens
        check_length(len(text), limit)
        tokens = self._tokenizer.encode_text(text, frame=True)
        if len(tokens) > limit:
            raise TooLong(f"text {index}: expected at most {limit} tokens, got {len(tokens)}; split the text")
        return tokens

    def _embed(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        hidden, mask = self._graph.run(texts)
        return pool(hidden, mask, self._settings.pooling, normalize=self._settings.normalize)


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes of texts to run together: of like length, padded to at most MAX_BATCH_TOKENS, or a single long one."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > MAX_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
