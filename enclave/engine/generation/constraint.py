"""Answers held to a JSON schema: at each step, the tokens that may come next.

The limits below and the bounds of `schemas` bound together what a hostile schema costs: at the start less time than a
chunk of a prompt, at each token a fraction of a step. docs/adr/0014-constrained-output.md has the figures.
"""

from collections.abc import Iterable

import llguidance
import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InvalidRequest
from enclave.engine.generation.schemas import bounded_schema

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
        """A copy of the logits [vocabulary], -inf for every token that may not come next.

        A stop token may come where the text so far is an instance of the schema, and nowhere else. Raises
        InvalidRequest if the limits do not suffice.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, count=len(logits), bitorder="little")
        return np.where(allowed, logits, np.float32(-np.inf))

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

    def __init__(self, tokenizer: bytes, stop_tokens: Iterable[int], vocabulary: int) -> None:
        """Of a tokenizer.json, and of a graph with logits for `vocabulary` tokens."""
        self._vocabulary = vocabulary
        self._tokenizer = _tokenizer(tokenizer.decode().strip(), sorted(stop_tokens), vocabulary)

    def follow(self, schema: str) -> Constraint:
        """The constraint of an answer that is an instance of the JSON schema; raise InvalidRequest."""
        if self._tokenizer is None:
            raise InvalidRequest("expected no schema for this model, whose tokens are not bytes of text, got one")
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            bounded_schema(schema),
            # Regular expressions: one space where models write one, and no room for nothing but spaces.
            overrides={"item_separator": ", ?", "key_separator": ": ?", "whitespace_flexible": False},
        )
        constraint = Constraint(llguidance.LLMatcher(self._tokenizer, grammar, log_level=0, limits=_LIMITS))
        constraint.masked(np.zeros(self._vocabulary, dtype=np.float32))
        return constraint


def _tokenizer(text: str, stop_tokens: list[int], vocabulary: int) -> llguidance.LLTokenizer | None:
    """None for those that llguidance does not know: it takes the byte-level ones, and those that fall back to bytes.

    What does not begin with a brace it would take for the path of a file.
    """
    try:
        return llguidance.LLTokenizer(text, n_vocab=vocabulary, eos_token=stop_tokens)
    except ValueError:
        return None
