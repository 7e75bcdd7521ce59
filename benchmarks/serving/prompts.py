"""Prompts of one length, as the model's template writes them, that a model has much to say to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import jinja2
from tokenizers import Tokenizer

from strongroom.models.package import load_package

_QUESTION = "Write a long story with many details about {}."
_TOPICS = (
    "a lighthouse keeper", "a lost dog", "an old clock", "the first winter", "a village market", "a red bicycle",
    "the night train", "a mountain village", "the last dragon", "a broken piano", "a quiet river", "the blind painter",
    "a small island", "the lost map", "a hidden garden", "the old fisherman", "a brave girl", "a paper boat",
    "the glass tower", "a desert city", "the iron bridge", "a stray cat", "the music teacher", "a long journey",
)  # fmt: skip
NUMBER = 16


@dataclass(frozen=True)
class Prompt:
    """What a client says, and what the graph reads."""

    text: str
    tokens: list[int]


class Prompts:
    """NUMBER prompts for the package in a folder."""

    def __init__(self, package: Path) -> None:
        _, manifest, files = load_package(package)
        assert manifest.chat is not None
        assert manifest.tokenizer is not None
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(manifest.chat.template)
        self._tokenizer = Tokenizer.from_file(str(files[manifest.tokenizer]))
        self.stop_tokens = frozenset(manifest.chat.stop_tokens)
        """The graph's answers must not hold them, or a server would end there."""

    def equally_long(self) -> list[Prompt]:
        """Of the most frequent length in tokens, and none that is shorter than any of the others."""
        by_length = defaultdict[int, list[Prompt]](list)
        for topic in _TOPICS:
            prompt = self._prompt(_QUESTION.format(topic))
            by_length[len(prompt.tokens)].append(prompt)
        return max(by_length.values(), key=len)[:NUMBER]

    def decode(self, tokens: list[int]) -> str:
        """The text of an answer."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _prompt(self, text: str) -> Prompt:
        message = {"role": "user", "content": text}
        rendered = self._template.render(messages=[message], add_generation_prompt=True)
        return Prompt(text, list(self._tokenizer.encode(rendered, add_special_tokens=False).ids))
