"""What is asked in the vectors, sound and not: bodies of requests, by hand where an encoder would not write them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.attestation.vectors import cbor
from tests.protocol.vectors.seeds import derived
from tests.protocol.vectors.vector import MALFORMED
from tests.protocol.vectors.wire import canonical, padded

SECRET = derived("response secret", 32)
CHAT = {
    "task": "chat",
    "messages": [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "Is the report due today? „Ja“ or „nein“ 🙂"},
    ],
    "max_tokens": 64,
    "temperature": 0.7,
    "seed": (1 << 63) - 1,
}
PLAIN = {"task": "chat", "messages": [{"role": "user", "content": ""}]}
COMPLETE = {
    "task": "complete",
    "prompt": "A strongroom is",
    "max_tokens": 1,
    "temperature": 1.0,
    "top_p": 0.5,
    "top_k": 65_536,
    "seed": 0,
    "stop": [".", "🙂" * 64],
    "logprobs": 0,
    "schema": '{"type": "null"}',
}
EMBED = {"task": "embed", "texts": ["", "one", "two\n"]}
CLASSIFY, TAG = EMBED | {"task": "classify"}, EMBED | {"task": "tag"}
TENSOR = {"dtype": "float32", "shape": [1, 2], "data": bytes.fromhex("0000803f000000c0")}
INFER = {"task": "infer", "tensors": {"x": TENSOR, "__proto__": TENSOR | {"dtype": "int64", "shape": [1]}}}
DESCRIBE = {"task": "describe"}


def asked(task: object = CHAT, *, stream: bool = False, **more: object) -> dict[str, object]:
    """The fields of a body."""
    return {"secret": SECRET, "stream": stream, "task": task} | more


@dataclass(frozen=True)
class Inner:
    """A plaintext that opens and is refused then."""

    slug: str
    title: str
    plaintext: bytes
    layer: str
    outcome: str = MALFORMED


def refused() -> list[Inner]:
    """Plaintexts with one defect, each of one layer: padding, encoding, fields."""
    return [*_padding(), *_encoding(), *_fields()]


def _padding() -> list[Inner]:
    sound = padded(canonical(asked()))
    size = len(sound).to_bytes(4, "big")
    return [
        Inner("padding-empty", "a plaintext of no bytes", b"", "padding"),
        Inner("padding-of-3", "a plaintext of 3 bytes", b"\0\0\0", "padding"),
        Inner("padding-length", "a length that leaves no room for itself", size + sound[4:], "padding"),
        Inner("padding-length-2-32", "a length of 2^32 - 1", b"\xff" * 4 + sound[4:], "padding"),
        Inner("padding-bucket", "a bucket larger than needed", sound + bytes(len(sound)), "padding"),
        Inner("padding-filling", "a last byte that is not zero", sound[:-1] + b"\1", "padding"),
    ]


def _encoding() -> list[Inner]:
    body = canonical(asked(PLAIN))
    secret = cbor.encode("secret") + cbor.encode(SECRET)
    stream = cbor.encode("stream") + b"\xf4"
    task = cbor.encode("task") + canonical(PLAIN)
    wrong = {
        "body-empty": ("no body", b""),
        "body-trailing": ("a byte behind the body", body + b"\0"),
        "body-cut": ("a body that ends early", body[:-1]),
        "body-keys-unordered": ("secret before task: not the shorter key first", b"\xa3" + secret + stream + task),
        "body-key-twice": ("stream twice", b"\xa4" + task + secret + stream + stream),
        "body-indefinite": ("a map of indefinite length", b"\xbf" + task + secret + stream + b"\xff"),
        "body-long-head": ("a head in two bytes", b"\xb8\x03" + task + secret + stream),
        "body-tagged": ("a tag", b"\xc6" + body),
        "body-undefined": ("stream undefined", b"\xa3" + task + secret + stream[:-1] + b"\xf7"),
        "body-bomb": ("lists in lists, 64 deep", b"\x81" * 64 + b"\xf6"),
        "body-many-items": ("8,193 items", cbor.head(cbor.ARRAY, 8192) + b"\xf6" * 8192),
        "body-length-2-32": ("a list of 2^32 - 1 that is not there", b"\x9a\xff\xff\xff\xff"),
        "text-not-utf-8": ("text that is no UTF-8", body.replace(cbor.encode("user"), b"\x64us\xff\xfe")),
    }
    return [Inner(slug, title, padded(data), "encoding") for slug, (title, data) in wrong.items()]


def _fields() -> list[Inner]:
    user = {"role": "user", "content": "hello"}
    wrong: dict[str, tuple[str, object]] = {
        "not-a-map": ("a list", [SECRET, False, CHAT]),
        "no-secret": ("no secret", {"stream": False, "task": CHAT}),
        "secret-of-31": ("a secret of 31 bytes", asked() | {"secret": SECRET[:-1]}),
        "secret-of-33": ("a secret of 33 bytes", asked() | {"secret": SECRET + b"\0"}),
        "secret-text": ("a secret of text", asked() | {"secret": "s" * 32}),
        "stream-number": ("stream 0", asked() | {"stream": 0}),
        "unknown-field": ("an unknown field", asked(more=True)),
        "unknown-task": ("an unknown task", asked({"task": "train"})),
        "unknown-task-field": ("an unknown field of a task", asked(CHAT | {"best_of": 1})),
        **_defaults(),
        "float-as-integer": ("temperature 1 as an integer", asked(CHAT | {"temperature": 1})),
        "no-message": ("no message", asked(CHAT | {"messages": []})),
        "65-messages": ("65 messages", asked(CHAT | {"messages": [user] * 65})),
        "unknown-role": ("an unknown role", asked(CHAT | {"messages": [user | {"role": "tool"}]})),
        "max-tokens-0": ("max_tokens 0", asked(CHAT | {"max_tokens": 0})),
        "temperature-nan": ("temperature NaN", asked(CHAT | {"temperature": float("nan")})),
        "temperature-3": ("temperature 3", asked(CHAT | {"temperature": 3.0})),
        "top-p-0": ("top_p 0", asked(CHAT | {"top_p": 0.0})),
        "seed-2-63": ("seed 2^63", asked(CHAT | {"seed": 1 << 63})),
        "top-k-negative": ("top_k -1", asked(CHAT | {"top_k": -1})),
        "nine-stops": ("nine stop strings", asked(CHAT | {"stop": ["x"] * 9})),
        "stop-empty": ("an empty stop string", asked(CHAT | {"stop": [""]})),
        "stop-of-65": ("a stop string of 65 characters", asked(CHAT | {"stop": ["🙂" * 65]})),
        "logprobs-21": ("21 alternatives", asked(CHAT | {"logprobs": 21})),
        "logprobs-in-all": ("16,385 log probabilities", asked(CHAT | {"max_tokens": 16_385, "logprobs": 0})),
        "schema-of-one": ("a schema of one character", asked(CHAT | {"schema": "1"})),
        "schema-too-long": ("a schema of 16,385 characters", asked(CHAT | {"schema": " " * 16_385})),
        "schema-no-text": ("a schema that is no text", asked(CHAT | {"schema": {}})),
        "no-prompt": ("an empty text to continue", asked(COMPLETE | {"prompt": ""})),
        "no-text": ("nothing to embed", asked(EMBED | {"texts": []})),
        "unknown-dtype": ("an unknown dtype", asked(INFER | {"tensors": {"x": TENSOR | {"dtype": "complex64"}}})),
        "describe-a-model": ("a description of a model that it names", asked(DESCRIBE | {"model": "smollm2-135m"})),
        "nine-dimensions": ("nine dimensions", asked(INFER | {"tensors": {"x": TENSOR | {"shape": [1] * 9}}})),
    }
    return [Inner(slug, title, padded(canonical(value)), "fields") for slug, (title, value) in wrong.items()]


DEFAULTS: dict[str, object] = {
    "max_tokens": 256,
    "temperature": 0.0,
    "top_p": 1.0,
    "top_k": 0,
    "seed": None,
    "stop": [],
    "logprobs": None,
    "schema": None,
}
"""Of a generation, each member with the value it has when it is left out."""


def _defaults() -> dict[str, tuple[str, object]]:
    """Each of them another encoding of the same task."""
    return {
        f"default-{name.replace('_', '-')}": (f"the default of {name} written out", asked(PLAIN | {name: value}))
        for name, value in DEFAULTS.items()
    }
