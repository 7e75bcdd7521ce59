"""One answer under way: what it has read, what it says next, who listens."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from enclave.engine.cancellation import Cancelled
from enclave.engine.errors import EngineError
from enclave.engine.failures import failure_of
from enclave.engine.generation.answer import Answer
from enclave.engine.generation.constraint import Constraint
from enclave.engine.generation.logprobs import token_logprob
from enclave.engine.generation.sampling import Sampler
from enclave.engine.jobs import Listener
from strongroom.protocol.payloads import Generation, GenerationEnd, TextDelta, TokenLogprob


class Conversation:
    """Tokens go to the graph by `take`, logits come back by `accept`; nothing here knows of other conversations."""

    def __init__(
        self,
        listener: Listener,
        prompt: Sequence[int],
        options: Generation,
        answer: Answer,
        constraint: Constraint | None = None,
    ) -> None:
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
        self._constraint = constraint

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
            token = self._choose(logits)
            self._say(token, self._logprob(logits, token))
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            self.fail(error)

    def check(self) -> None:
        """End if the listener left."""
        try:
            self.listener.cancellation.check()
        except Cancelled as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End with what is told of this error."""
        self.failure = failure_of(error)
        self.ended = True

    def _choose(self, logits: NDArray[np.float32]) -> int:
        if self._constraint is None:
            return self._sampler.next(logits)
        token = self._sampler.next(self._constraint.masked(logits))
        self._constraint.push(token)
        return token

    def _say(self, token: int, logprob: TokenLogprob | None) -> None:
        piece = self._answer.push(token, logprob)
        if piece.text or piece.logprobs:
            self.listener.send(TextDelta(piece.text, piece.logprobs or None))
        if self._answer.finish:
            self.listener.send(GenerationEnd(self._answer.finish, self._prompt_tokens, self._answer.tokens))
            self.ended = True
        self._pending = [token]

    def _logprob(self, logits: NDArray[np.float32], token: int) -> TokenLogprob | None:
        if self._alternatives is None:
            return None
        return token_logprob(logits, token, self._alternatives, self._answer.bytes_of)
