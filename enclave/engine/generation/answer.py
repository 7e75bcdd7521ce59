"""From generated tokens to the pieces of an answer, and to its end."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from enclave.engine.generation.stop_strings import StopStrings
from enclave.engine.generation.stream_decoder import StreamDecoder
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import TokenLogprob

Finish = Literal["stop", "length"]


class Piece(NamedTuple):
    """Text of an answer, whole characters only, and what is told of its tokens."""

    text: str
    logprobs: list[TokenLogprob]


class Answer:
    """One answer: ends at a stop token, before a stop string, or after `budget` tokens.

    Without stop strings each token is told of at once, even before its character is whole; with them as soon as text
    that it begins in is shown, so that nothing is told of what a stop string cuts off.
    """

    def __init__(self, tokenizer: Tokenizer, stop_tokens: frozenset[int], stop: Sequence[str], budget: int) -> None:
        self._stream = StreamDecoder(tokenizer)
        self._stop_tokens = stop_tokens
        self._stop = StopStrings(stop)
        self._budget = budget
        self._cuts = bool(stop)
        self._untold: deque[tuple[int, TokenLogprob]] = deque()  # each with the character its token begins at
        self._characters = 0
        self._shown_characters = 0
        self.tokens = 0
        """The tokens so far, a stop token included."""
        self.finish: Finish | None = None
        """Why the answer ended; None while it goes on."""

    def bytes_of(self, token: int) -> bytes:
        """What the token would add to the text, in UTF-8, or a part of a character's."""
        return self._stream.bytes_of(token)

    def push(self, token: int, logprob: TokenLogprob | None = None) -> Piece:
        """What the next token lets be shown and told: all that is left, if it ends the answer."""
        self.tokens += 1
        text = self._take(token, logprob)
        if self.finish is None and self.tokens == self._budget:
            self.finish = "length"
        if self.finish and not self._stop.met:
            text += self._rest()
        self._shown_characters += len(text)
        return Piece(text, list(self._told()))

    def _take(self, token: int, logprob: TokenLogprob | None) -> str:
        if token in self._stop_tokens:
            self.finish = "stop"
            return ""
        if logprob is not None:
            self._untold.append((self._characters, logprob))
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

    def _told(self) -> Iterator[TokenLogprob]:
        """Of the tokens that no stop string can cut off any more."""
        safe = not self._cuts or (self.finish and not self._stop.met)
        while self._untold and (safe or self._untold[0][0] < self._shown_characters):
            yield self._untold.popleft()[1]
