"""Random schemas, followed by a model that says anything: whatever may end is an instance, by an independent reader."""

import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest

from enclave.engine.errors import InvalidRequest
from enclave.engine.generation.constraint import Constraint, Constraints
from enclave.engine.generation.model import LanguageModel

STOP = 200
NAMES = ["a", "ab", 'a"b', "a\\b", "a\tb", "é", "😀", "a/b", ""]
VALUES = [None, True, False, 0, 1.5, -3, 1e6, 1e-7, "a", "<|im_end|>", "\n", " é "]
NUMBERS = [0, 1, -1, 0.5, -0.5, 0.1, 7, -12.5]
BOUNDS = [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")]
PATTERNS = ["^a+$", "b", "^[0-9]{2}$", "^(ab)*$", "^.{1,3}$", "[^a]", r"^\d\d$", r"^a\.b$", "^$", r"^[a-c\]]+$"]
KINDS = ["null", "boolean", "integer", "number", "string", "array", "object"]
CLOSING = b'"}],'


class Author:
    """Writes schemas, and answers to them, by the roll of a die."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, **members: Any) -> dict[str, Any]:
        """Each of the members, or not."""
        return {name: value for name, value in members.items() if self.random.random() < 0.5}

    def schema(self, depth: int) -> Any:
        choose = self.random.choice
        makers = [self.values, self.number, self.text] + [self.alternatives, self.array, self.object] * (depth > 0)
        return choose([True, {}, {"type": choose(KINDS)}]) if self.random.random() < 0.1 else choose(makers)(depth - 1)

    def values(self, _: int) -> dict[str, Any]:
        return {"enum": self.random.choices(VALUES, k=3)} | self.some(type=self.random.sample(KINDS, 3))

    def number(self, _: int) -> dict[str, Any]:
        low, high = sorted(self.random.choices(NUMBERS, k=2))
        lower, upper = (self.random.choice(names) for names in BOUNDS)
        return {"type": self.random.choice(["integer", "number"]), lower: low} | self.some(**{upper: high})

    def text(self, _: int) -> dict[str, Any]:
        if self.random.random() < 0.5:
            return {"type": "string", "pattern": self.random.choice(PATTERNS)}
        return {"type": "string"} | self.some(minLength=self.random.randrange(3), maxLength=self.random.randrange(2, 5))

    def alternatives(self, depth: int) -> dict[str, Any]:
        return {"anyOf": [self.schema(depth) for _ in range(2)]} | self.some(type=self.random.choice(KINDS))

    def array(self, depth: int) -> dict[str, Any]:
        rest = self.random.choice([False, self.schema(depth)])
        return {"type": "array"} | self.some(
            prefixItems=[self.schema(depth)], items=rest, minItems=self.random.randrange(3), maxItems=2
        )

    def object(self, depth: int) -> dict[str, Any]:
        names = self.random.sample(NAMES, 3)
        others = self.random.choice([False, self.schema(depth)])
        return {"type": "object", "properties": {name: self.schema(depth) for name in names}} | self.some(
            required=names[:2], additionalProperties=others
        )

    def answer(self, held: Constraint, spelled: dict[int, int]) -> bytes | None:
        """What it may say until it may stop, sooner or later; None if that is long."""
        said = bytearray()
        logits = np.zeros(259, dtype=np.float32)
        for _ in range(120):
            allowed = set(np.flatnonzero(held.masked(logits) == 0).tolist())
            if STOP in allowed and (len(allowed) == 1 or self.random.random() < 0.5):
                return bytes(said)
            bytes_allowed = [byte for byte, token in spelled.items() if token in allowed - {STOP}]
            closing = [byte for byte in CLOSING if byte in bytes_allowed]
            said.append(self.random.choice(closing if closing and self.random.random() < 0.4 else bytes_allowed))
            held.push(spelled[said[-1]])
        return None


@pytest.mark.parametrize("seed", range(8))
def test_whatever_may_end_is_an_instance(model: LanguageModel, seed: int) -> None:
    constraints: Constraints = model._constraints
    spelled = {text[0]: token for token, text in enumerate(model._tokenizer.texts(259)) if text and token != STOP}
    author, complete = Author(seed), 0
    for _ in range(120):
        schema = author.schema(3)
        try:
            held = constraints.follow(json.dumps(schema if isinstance(schema, dict) else {}))
            said = author.answer(held, spelled)
        except InvalidRequest:
            continue  # nothing fits, or it is beyond the bounds
        if said is not None:
            jsonschema.Draft202012Validator(schema).validate(json.loads(said))
            complete += 1
    assert complete > 40
