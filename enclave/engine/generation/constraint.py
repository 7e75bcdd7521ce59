"""Answers held to a JSON schema: at each step, the tokens that may come next.

The limits below and the bounds of `schemas` bound together what a hostile schema costs: at the start less time than a
chunk of a prompt, at each token a fraction of a step. docs/adr/0014-constrained-output.md has the figures.
"""

from collections.abc import Iterable, Sequence

import llguidance
import msgspec
import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InvalidRequest
from enclave.engine.generation.schemas import bounded_schema
from enclave.engine.tokenization import Tokenizer

_GRAMMAR = '%llguidance {"no_forcing": true}\nstart: %json '
"""Forced, the only text that can come next is made and tokenised at once: all of the million characters that a pattern
can ask for, and a control token where a text spells one."""
_STYLE = {
    # Regular expressions: one space where models write one, and no room for nothing but spaces.
    "item_separator": ", ?",
    "key_separator": ": ?",
    "whitespace_flexible": False,
    "json_allowed_escapes": 'nrbtf\\"',  # not u: with it a name that `properties` names could come in another spelling
}
_WRITTEN = frozenset(bytes([character]) for character in range(0x20, 0x7F))
_SHUT = np.array([-np.inf, 0], dtype=np.float32)
_LIMITS = llguidance.LLParserLimits(
    initial_lexer_fuel=100_000,
    step_lexer_fuel=50_000,
    step_max_items=5_000,
    max_items_in_row=500,
    max_lexer_states=40_000,
    max_grammar_size=50_000,
    precompute_large_lexemes=False,
    verbose_errors=False,
)


class Constraint:
    """What one answer may still say; not thread-safe."""

    def __init__(self, matcher: llguidance.LLMatcher) -> None:
        self._matcher = matcher

    def masked(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """A copy of the logits [vocabulary], -inf for every token that may not come next; what is not finite stays so.

        A stop token may come where the text so far is an instance of the schema, and nowhere else. Raises
        InvalidRequest if the limits do not suffice.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, count=len(logits), bitorder="little")
        with np.errstate(invalid="ignore"):
            masked: NDArray[np.float32] = logits + _SHUT[allowed]
        return masked

    def push(self, token: int) -> None:
        """Go on behind a token that was not masked; raise InvalidRequest if the limits do not suffice."""
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        """A matcher goes into an error state instead of raising, and its own text can quote the schema."""
        if self._matcher.is_error():
            raise InvalidRequest(
                "schema: expected one that text can satisfy and that is simple enough to follow, got another; "
                "shorten its patterns, or give it fewer alternatives that begin alike"
            )


class Constraints:
    """Makes the constraints of one model's answers."""

    def __init__(self, tokenizer: Tokenizer, stop_tokens: Iterable[int], vocabulary: int) -> None:
        """Of a graph with logits for `vocabulary` tokens. Raises ModelRejected for tokens that do not decode."""
        self._vocabulary = vocabulary
        self._tokenizer = _tokenizer(tokenizer.texts(vocabulary), sorted(stop_tokens))

    def follow(self, schema: str) -> Constraint:
        """The constraint of an answer that is an instance of the JSON schema; raise InvalidRequest."""
        if self._tokenizer is None:
            raise InvalidRequest("expected no schema for this model, whose tokens are not bytes of text, got one")
        grammar = _GRAMMAR + msgspec.json.encode(bounded_schema(schema) | {"x-guidance": _STYLE}).decode()
        constraint = Constraint(llguidance.LLMatcher(self._tokenizer, grammar, log_level=0, limits=_LIMITS))
        constraint.masked(np.zeros(self._vocabulary, dtype=np.float32))
        return constraint


class _Vocabulary:
    """The tokens of a model as llguidance asks for them. Those without text come as an end, or not at all."""

    bos_token_id = None
    special_token_ids: Sequence[int] = ()

    def __init__(self, texts: Sequence[bytes], stop_tokens: Sequence[int]) -> None:
        self.eos_token_id = stop_tokens[0]
        self.tokens = list(texts)
        for token in stop_tokens:
            self.tokens[token] = b""

    def __call__(self, text: str) -> list[int]:
        raise NotImplementedError("nothing is forced, so no text is tokenised")


def _tokenizer(texts: Sequence[bytes], stop_tokens: list[int]) -> llguidance.LLTokenizer | None:
    """None unless each character that JSON is written with is a token: those that are parts of words hold no space."""
    if not _WRITTEN.issubset(texts):
        return None
    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Vocabulary(texts, stop_tokens)), eos_token=stop_tokens)
