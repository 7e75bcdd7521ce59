"""From generated tokens to the pieces of an answer, and to its end."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from enclave.engine.generation.logprobs import TokenLogprobs
from enclave.engine.generation.stop_strings import StopStrings
from enclave.engine.tokenization import StreamDecoder, Tokenizer

Finish = Literal["stop", "length"]


class Piece(NamedTuple):
    """Text of an answer, whole characters only, and the log probabilities of the tokens that begin in it."""

    text: str
    logprobs: tuple[TokenLogprobs, ...]


class Answer:
    """One answer: ends at a stop token, before a stop string, or after `budget` tokens."""

    def __init__(self, tokenizer: Tokenizer, stop_tokens: frozenset[int], stop: Sequence[str], budget: int) -> None:
        self._stream = StreamDecoder(tokenizer)
        self._stop_tokens = stop_tokens
        self._stop = StopStrings(stop)
        self._budget = budget
        self._logprobs: deque[tuple[int, TokenLogprobs]] = deque()  # each with the character its token begins at
        self._characters = 0
        self._shown_characters = 0
        self.tokens = 0
        """The tokens so far, a stop token included."""
        self.finish: Finish | None = None
        """Why the answer ended; None while it goes on."""

    def push(self, token: int, logprobs: TokenLogprobs | None = None) -> Piece:
        """What the next token lets be shown: all that is left, if it ends the answer."""
        self.tokens += 1
        text = self._take(token, logprobs)
        if self.finish is None and self.tokens == self._budget:
            self.finish = "length"
        if self.finish and not self._stop.met:
            text += self._rest()
        self._shown_characters += len(text)
        return Piece(text, tuple(self._begun()))

    def _take(self, token: int, logprobs: TokenLogprobs | None) -> str:
        if token in self._stop_tokens:
            self.finish = "stop"
            return ""
        if logprobs is not None:
            self._logprobs.append((self._characters, logprobs))
        return self._show(self._stream.push(token))

    def _show(self, text: str) -> str:
        self._characters += len(text)
        shown = self._stop.push(text)
        if self._stop.met:
            self.finish = "stop"
        return shown

    def _rest(self) -> str:
        """An unfinished character, and what was withheld."""
        return self._show(self._stream.flush()) + self._stop.flush()

    def _begun(self) -> Iterator[TokenLogprobs]:
        """Those of the tokens whose text begins in what is shown; at a stop token or the budget, of all."""
        complete = self.finish and not self._stop.met
        while self._logprobs and (complete or self._logprobs[0][0] < self._shown_characters):
            yield self._logprobs.popleft()[1]
