"""Token classification: the labelled spans of a text.

Defined step by step, as docs/packages.md has it:

1. A token stands for the characters that the tokenizer says, without those of tokens before it. Whatever then stands
   for none is left out: the frame ([CLS], [SEP]), padding, the later tokens of a character that was cut into several.
2. A token's label is the one of the largest logit, the first of equal ones; its score is that label's softmax.
3. A run is of tokens of one label, X for B-X and I-X. It ends before a token of another label, or of B-X.
4. A span is what a run stands for, from its first character to its last, without white space at both ends, if that is
   anything. Its score is the mean of its tokens' scores.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enclave.engine.batching.heads.scores import softmax
from enclave.engine.errors import TooLong
from enclave.engine.sessions import Port
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.catalogue import TagSettings
from strongroom.protocol.payloads import MAX_SPANS, Span, Tags, TagTask


class TagHead:
    """Spans by the settings' labels and scheme."""

    task = TagTask

    def __init__(self, settings: TagSettings) -> None:
        self._marks = [_mark(label, settings) for label in settings.labels]
        self.output = Port("logits", "tensor(float)", (None, None, len(settings.labels)))

    def part(self, numbers: NDArray[np.float32], text: EncodedText) -> list[Span]:
        """The spans, in the order of their characters, of which no two share one."""
        scores = softmax(numbers)
        best = numbers.argmax(axis=-1)
        runs = _runs(
            _Token(start, end, self._marks[best[index]], float(scores[index, best[index]]))
            for index, start, end in own_characters(text)
        )
        return [span for run in runs if (span := run.span(text.text))]

    def event(self, parts: Sequence[list[Span]]) -> Tags:
        """The spans of each text; raise TooLong for more than an answer holds."""
        if (found := sum(map(len, parts))) > MAX_SPANS:
            raise TooLong(f"expected at most {MAX_SPANS} spans in all texts together, got {found}; send fewer texts")
        return Tags(list(parts))


class _Mark(NamedTuple):
    """What a label says of its token: it is in a span of this name, and may be the first of it whatever came before."""

    name: str
    begins: bool


class _Token(NamedTuple):
    start: int
    end: int
    mark: _Mark | None
    score: float


@dataclass
class _Run:
    name: str
    start: int
    end: int
    scores: list[float]

    def span(self, text: str) -> Span | None:
        """What it stands for without white space at both ends."""
        piece = text[self.start : self.end]
        if not (own := piece.strip()):
            return None
        start = self.start + piece.index(own)
        return Span(start, start + len(own), self.name, fmean(self.scores))


def _mark(label: str, settings: TagSettings) -> _Mark | None:
    if label == settings.outside:
        return None
    if settings.scheme == "plain":
        return _Mark(label, begins=False)
    return _Mark(label[2:], begins=label.startswith("B-"))


def own_characters(text: EncodedText) -> Iterator[tuple[int, int, int]]:
    """The index, start and end of each token that stands for characters of its own."""
    taken = 0
    for index, (start, end) in enumerate(text.characters):
        start, taken = max(start, taken), max(end, taken)
        if start < end:
            yield index, start, end


def _runs(tokens: Iterable[_Token]) -> list[_Run]:
    runs: list[_Run] = []
    run = None
    for token in tokens:
        if token.mark is None:
            run = None
        elif run is None or token.mark.begins or token.mark.name != run.name:
            run = _Run(token.mark.name, token.start, token.end, [token.score])
            runs.append(run)
        else:
            run.end = token.end
            run.scores.append(token.score)
    return runs
