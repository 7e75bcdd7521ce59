"""Embeddings: texts to tokens, and batches of tokens to one vector each."""

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from enclave.engine.batching.dependence import company_matters, quantizes_dynamically
from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.batching.pooling import pool
from enclave.engine.errors import ModelRejected, TooLong
from enclave.engine.sessions import open_session
from enclave.engine.tokenization import Tokenizer, check_length
from strongroom.protocol.catalogue import EmbedSettings, ModelManifest


class Encoder:
    """An encoder model for several threads.

    It holds two sessions on the graph. `narrow` works with one thread, and as many of its runs at a time as there are
    cores give the most texts per second. `wide` spreads one run over all cores, for a caller who is alone: a session
    has one number of threads for all its runs, and runs at a time that each spread lose a tenth to one another.
    """

    def __init__(
        self,
        settings: EmbedSettings,
        tokenizer: Tokenizer,
        narrow: EncoderGraph,
        wide: EncoderGraph,
        *,
        depends_on_batch: bool,
    ) -> None:
        """`depends_on_batch`: a text's vector depends on the texts it is run with."""
        self._settings = settings
        self._tokenizer = tokenizer
        self._tokenizing = threading.Lock()
        self._narrow, self._wide = narrow, wide
        self.depends_on_batch = depends_on_batch

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "Encoder":
        """Load a package of task "embed", with `threads` threads for a run that is alone; raise ModelRejected.

        The graph is run on the longest text that the settings allow.
        """
        settings = manifest.embed
        if settings is None or manifest.tokenizer is None:
            raise ModelRejected("manifest: expected embed settings and a tokenizer, got none")
        tokenizer, graph = Tokenizer.from_bytes(files[manifest.tokenizer]), files[manifest.graph]
        narrow, wide = (
            EncoderGraph(open_session(graph, threads=count, files=files), settings.dimensions) for count in (1, threads)
        )
        differs = company_matters(narrow, ids=tokenizer.ids, context_tokens=settings.context_tokens)
        depends = differs or quantizes_dynamically(graph)
        return cls(settings, tokenizer, narrow, wide, depends_on_batch=depends)

    @property
    def dimensions(self) -> int:
        """The width of a vector."""
        return self._settings.dimensions

    def encode(self, index: int, text: str) -> list[int]:
        """The tokens of the text, which is the request's text of that index; raise InvalidRequest or TooLong."""
        limit = self._settings.context_tokens
        check_length(len(text), limit)
        with self._tokenizing:
            tokens = self._tokenizer.encode_text(text, frame=True)
        if len(tokens) > limit:
            raise TooLong(f"text {index}: expected at most {limit} tokens, got {len(tokens)}; split the text")
        return tokens

    def embed(self, texts: Sequence[Sequence[int]], *, alone: bool) -> NDArray[np.float32]:
        """One vector for each text, float32 [texts, dimensions], in an array of their own; raise InferenceFailed.

        `alone` says that no other run is under way: this one may use all cores.
        """
        hidden, mask = (self._wide if alone else self._narrow).run(texts)
        try:
            return pool(hidden, mask, self._settings.pooling, normalize=self._settings.normalize)
        finally:
            hidden.fill(0)
