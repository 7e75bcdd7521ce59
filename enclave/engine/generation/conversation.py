"""One answer under way: what it has read, what it says next, who listens."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed
from enclave.engine.generation.answer import Answer
from enclave.engine.generation.logprobs import TokenLogprobs, token_logprobs
from enclave.engine.generation.sampling import Sampler
from strongroom.protocol.payloads import Event, Generation, GenerationEnd, TextDelta


class Listener(Protocol):
    """Who asked: jobs.Job, or a test."""

    cancellation: Cancellation

    def send(self, item: Event | EngineError | None) -> None:
        """Take an event, or last the error or None that ends them; never blocks."""


class Conversation:
    """Tokens go to the graph by `take`, logits come back by `accept`; nothing here knows of other conversations."""

    def __init__(self, listener: Listener, prompt: Sequence[int], options: Generation, answer: Answer) -> None:
        self.listener = listener
        self.length = 0
        """Tokens in the KV cache."""
        self.ended = False
        self.failure: EngineError | None = None
        """Why it ended, unless by itself."""
        self._prompt_tokens = len(prompt)
        self._pending = list(prompt)
        self._sampler = Sampler(options)
        self._alternatives = options.logprobs
        self._answer = answer

    @property
    def pending_tokens(self) -> int:
        """How many tokens the graph has not seen: of the prompt, or the one generated last."""
        return len(self._pending)

    def take(self, most: int) -> list[int]:
        """The next tokens for the graph, which is to append them now."""
        taken, self._pending = self._pending[:most], self._pending[most:]
        self.length += len(taken)
        return taken

    def accept(self, logits: NDArray[np.float32]) -> None:
        """Choose a token by the logits [vocabulary] after the last one taken, and send what it says."""
        try:
            token = self._sampler.next(logits)
            self._say(token, self._logprobs(logits, token))
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            self.fail(error)

    def check(self) -> None:
        """End if the listener left."""
        try:
            self.listener.cancellation.check()
        except Cancelled:
            self.fail(EngineBusy("the request was cancelled, since the engine is closing"))

    def fail(self, error: BaseException) -> None:
        """End with this error, or with InferenceFailed for one that is not the engine's.

        The error is made anew: the frames of a step know all conversations of that step.
        """
        if isinstance(error, EngineError):
            self.failure = type(error)(*error.args)
        else:
            self.failure = InferenceFailed(f"expected the model to finish, got {type(error).__name__}")
        self.ended = True

    def _say(self, token: int, logprobs: TokenLogprobs | None) -> None:
        piece = self._answer.push(token, logprobs)
        if piece.text:
            self.listener.send(TextDelta(piece.text))
        if self._answer.finish:
            self.listener.send(GenerationEnd(self._answer.finish, self._prompt_tokens, self._answer.tokens))
            self.ended = True
        self._pending = [token]

    def _logprobs(self, logits: NDArray[np.float32], token: int) -> TokenLogprobs | None:
        return None if self._alternatives is None else token_logprobs(logits, token, self._alternatives)
