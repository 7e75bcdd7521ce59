"""Encoder models: texts to tokens, and batches of them to the parts of answers."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from enclave.engine.batching.dependence import company_matters
from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.batching.heads.classification import ClassificationHead
from enclave.engine.batching.heads.embedding import EmbeddingHead
from enclave.engine.batching.heads.head import Head, Part
from enclave.engine.batching.heads.tags import TagHead
from enclave.engine.errors import InferenceFailed, ModelRejected, TooLong
from enclave.engine.quantization import quantizes_dynamically
from enclave.engine.sessions import open_session
from enclave.engine.tokenization import EncodedText, Tokenizer, check_length
from strongroom.protocol.catalogue import ClassifySettings, EmbedSettings, ModelManifest, TagSettings


class Encoder(Generic[Part]):
    """An encoder model for several threads.

    It holds two sessions on the graph. `narrow` works with one thread, and as many of its runs at a time as there are
    cores give the most texts per second. `wide` spreads one run over all cores, for a caller who is alone: a session
    has one number of threads for all its runs, and runs at a time that each spread lose a tenth to one another.
    """

    def __init__(
        self,
        head: Head[Part],
        tokenizer: Tokenizer,
        narrow: EncoderGraph,
        wide: EncoderGraph,
        *,
        context_tokens: int,
        depends_on_batch: bool,
    ) -> None:
        """`depends_on_batch`: what is said of a text depends on the texts it is run with."""
        self.head = head
        self._tokenizer = tokenizer
        self._tokenizing = threading.Lock()
        self._narrow, self._wide = narrow, wide
        self._context_tokens = context_tokens
        self.depends_on_batch = depends_on_batch

    @classmethod
    def load(cls, manifest: ModelManifest, files: Mapping[str, bytes], threads: int) -> "Encoder[Any]":
        """Load a package of task "embed", "classify" or "tag", with `threads` threads for a run that is alone; raise
        ModelRejected.

        The graph is run on the longest text that the settings allow.
        """
        settings = manifest.embed or manifest.classify or manifest.tag
        if settings is None or manifest.tokenizer is None:
            raise ModelRejected("manifest: expected the settings of an encoder and a tokenizer, got none")
        head, context_tokens = _head(settings), settings.context_tokens
        tokenizer, graph = Tokenizer.from_bytes(files[manifest.tokenizer]), files[manifest.graph]
        narrow, wide = (
            EncoderGraph(open_session(graph, threads=count, files=files), head.output) for count in (1, threads)
        )
        differs = company_matters(narrow, ids=tokenizer.ids, context_tokens=context_tokens)
        depends = differs or quantizes_dynamically(graph)
        return Encoder(head, tokenizer, narrow, wide, context_tokens=context_tokens, depends_on_batch=depends)

    def encode(self, index: int, text: str) -> EncodedText:
        """The text, which is the request's text of that index, with its tokens; raise InvalidRequest or TooLong."""
        limit = self._context_tokens
        check_length(len(text), limit)
        with self._tokenizing:
            encoded = self._tokenizer.encode(text, frame=True)
        if (tokens := len(encoded.tokens)) > limit:
            raise TooLong(f"text {index}: expected at most {limit} tokens, got {tokens}; split the text")
        return encoded

    def run(self, texts: Sequence[EncodedText], *, alone: bool) -> list[Part | InferenceFailed]:
        """For each text its part of an answer, or why it has none; raise InferenceFailed.

        `alone` says that no other run is under way: this one may use all cores.
        """
        graph = self._wide if alone else self._narrow
        with graph.run([text.tokens for text in texts]) as found:
            return [self._part(numbers, text) for numbers, text in zip(found, texts, strict=True)]

    def _part(self, numbers: NDArray[np.float32], text: EncodedText) -> Part | InferenceFailed:
        """Returned and not raised: what one text made of the graph is no failure of the others."""
        if not np.isfinite(numbers).all():
            return InferenceFailed("expected finite numbers of the graph, got others for a text of this request")
        return self.head.part(numbers, text)


def _head(settings: EmbedSettings | ClassifySettings | TagSettings) -> Head[Any]:
    match settings:
        case EmbedSettings():
            return EmbeddingHead(settings)
        case ClassifySettings():
            return ClassificationHead(settings)
        case TagSettings():
            return TagHead(settings)
