"""What the events of one exchange add up to: only those of the task asked for, in their order, make an answer."""

import struct
from collections.abc import Iterator, Sequence
from typing import TypeVar

from strongroom.client.answers import (
    Answer,
    LabelScores,
    ModelDescription,
    Tensors,
    TextAnswer,
    TextSpans,
    Vectors,
)
from strongroom.client.errors import AnswerTruncated, SealBroken
from strongroom.client.proofs import Part, Proof
from strongroom.client.sealing import opening
from strongroom.protocol.payloads import (
    ClassifyTask,
    DescribeTask,
    Description,
    Embeddings,
    EmbedTask,
    Event,
    Generation,
    GenerationEnd,
    Outputs,
    Scores,
    Span,
    Tags,
    TagTask,
    Task,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Tensor

E = TypeVar("E", bound=Event)


class TextCollector:
    """Adds up generated text: its pieces, then one end, then its proof, and nothing after it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._end: GenerationEnd | None = None
        self._proof: Proof | None = None

    def add(self, part: Part) -> str:
        """The text that this part brings, empty for the rest. Raises SealBroken for an event out of place."""
        if isinstance(part, Proof):
            self._proof = part
            return ""
        if self._end is not None or not isinstance(part, TextDelta | GenerationEnd):
            raise _out_of_place(part)
        if isinstance(part, GenerationEnd):
            self._end = part
            return ""
        self._pieces.append(part.text)
        self._logprobs += part.logprobs or ()
        return part.text

    def answer(self) -> TextAnswer:
        """The whole answer. Raises AnswerTruncated before its end and its proof were seen."""
        end, proof = self._end, self._proof
        if end is None or proof is None:
            raise AnswerTruncated
        counts = end.prompt_tokens, end.completion_tokens
        return TextAnswer("".join(self._pieces), end.finish, *counts, tuple(self._logprobs), proof)


def answer_of(task: Task, events: Sequence[Event], proof: Proof) -> Answer:
    """The answer to `task` that the events of a whole answer are. Raises SealBroken, AnswerTruncated."""
    if isinstance(task, Generation):
        return text_of(events, proof)
    if isinstance(task, EmbedTask):
        return vectors_of(events, proof, len(task.texts))
    if isinstance(task, ClassifyTask):
        return scores_of(events, proof, len(task.texts))
    if isinstance(task, TagTask):
        return spans_of(events, proof, task.texts)
    if isinstance(task, DescribeTask):
        return description_of(events, proof)
    return tensors_of(events, proof)


def text_of(events: Sequence[Event], proof: Proof) -> TextAnswer:
    """The generated text that the events of a whole answer are. Raises SealBroken, AnswerTruncated."""
    collector = TextCollector()
    for part in (*events, proof):
        collector.add(part)
    return collector.answer()


def vectors_of(events: Sequence[Event], proof: Proof, count: int) -> Vectors:
    """The vectors of `count` texts that a whole answer brings. Raises SealBroken."""
    event = _only(events, Embeddings)
    return Vectors(_rows(event.vectors, count, "dimensions"), event.prompt_tokens, proof)


def scores_of(events: Sequence[Event], proof: Proof, count: int) -> LabelScores:
    """The scores of `count` texts that a whole answer brings. Raises SealBroken."""
    event = _only(events, Scores)
    if event.scores.shape[1:] != [len(event.labels)]:
        raise SealBroken("expected a score for each label, got more or fewer")
    rows = _rows(event.scores, count, "labels")
    return LabelScores((dict(zip(event.labels, row, strict=True)) for row in rows), proof)


def spans_of(events: Sequence[Event], proof: Proof, texts: Sequence[str]) -> TextSpans:
    """The spans of the texts that a whole answer brings. Raises SealBroken."""
    event = _only(events, Tags)
    if len(event.spans) != len(texts):
        raise SealBroken(f"expected the spans of {len(texts)} texts, got those of {len(event.spans)}")
    if not all(_lie_in(text, spans) for text, spans in zip(texts, event.spans, strict=True)):
        raise SealBroken("expected spans of characters of the texts, in their order, got others")
    return TextSpans(event.spans, proof)


def tensors_of(events: Sequence[Event], proof: Proof) -> Tensors:
    """The outputs that a whole answer brings. Raises SealBroken."""
    tensors = _only(events, Outputs).tensors
    return Tensors({name: _checked(tensor) for name, tensor in tensors.items()}, proof)


def description_of(events: Sequence[Event], proof: Proof) -> ModelDescription:
    """The description of a model that a whole answer brings. Raises SealBroken."""
    event = _only(events, Description)
    return ModelDescription(event.version, event.task, tuple(event.inputs), tuple(event.outputs), proof)


def _only(events: Sequence[Event], kind: type[E]) -> E:
    """The one event that is the answer; an answer has at least one."""
    if len(events) != 1 or not isinstance(events[0], kind):
        raise _out_of_place(events[0])
    return events[0]


def _rows(tensor: Tensor, count: int, width: str) -> Iterator[list[float]]:
    """The rows of float32 [count, width]; raise SealBroken for another tensor, before the first."""
    checked = _checked(tensor)
    if checked.dtype != "float32" or len(checked.shape) != 2 or checked.shape[0] != count:
        raise SealBroken(f"expected float32 [{count}, {width}], got another tensor")
    row = struct.Struct(f"<{checked.shape[1]}f")
    return (list(row.unpack_from(checked.data, at * row.size)) for at in range(count))


def _lie_in(text: str, spans: Sequence[Span]) -> bool:
    starts = [span.start for span in spans]
    return starts == sorted(starts) and all(span.start < span.end <= len(text) for span in spans)


def _checked(tensor: Tensor) -> Tensor:
    with opening():
        tensor.check()
    return tensor


def _out_of_place(event: Event) -> SealBroken:
    return SealBroken(f"expected the events of the task asked for, got {type(event).__name__}")
