"""Answers, each with its proof."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from strongroom.client.proofs import Proof, Proven
from strongroom.protocol.catalogue import Task
from strongroom.protocol.payloads import Span, TokenLogprob
from strongroom.protocol.tensors import Port, Tensor


@dataclass(frozen=True, slots=True)
class TextAnswer(Proven):
    """A generated answer: its text, why it ended, the counts of tokens, and their log probabilities if asked for.

    Of the tokens of `logprobs` the bytes, together, are the text's; where a stop string ended it, they may go on.
    """

    text: str = field(repr=False)
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[TokenLogprob, ...] = field(repr=False)
    _proof: Proof = field(repr=False, compare=False)


class Vectors(Proven, list[list[float]]):
    """One vector for each text, in their order: a list, with its proof, and the count of tokens of all texts."""

    def __init__(self, vectors: Iterable[list[float]], prompt_tokens: int, proof: Proof) -> None:
        super().__init__(vectors)
        self.prompt_tokens, self._proof = prompt_tokens, proof


class LabelScores(Proven, list[dict[str, float]]):
    """The score of 0 to 1 of each label, for each text, in their order: a list, with its proof."""

    def __init__(self, scores: Iterable[dict[str, float]], proof: Proof) -> None:
        super().__init__(scores)
        self._proof = proof


class TextSpans(Proven, list[list[Span]]):
    """The labelled spans of each text, in the order of the texts and of their characters: a list, with its proof."""

    def __init__(self, spans: Iterable[list[Span]], proof: Proof) -> None:
        super().__init__(spans)
        self._proof = proof


class Tensors(Proven, dict[str, Tensor]):
    """The outputs of a tensor model by name: a dictionary, with its proof."""

    def __init__(self, tensors: dict[str, Tensor], proof: Proof) -> None:
        super().__init__(tensors)
        self._proof = proof


@dataclass(frozen=True, slots=True)
class ModelDescription(Proven):
    """What a model is, by the enclave's own word: its version and task, and the tensors that `infer` takes and gives.

    There are none for a model of another task.
    """

    version: str
    task: Task
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    _proof: Proof = field(repr=False, compare=False)


Answer = TextAnswer | Vectors | LabelScores | TextSpans | Tensors | ModelDescription
