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
    "top_p": 1.0,
    "seed": (1 << 63) - 1,
}
GREEDY = CHAT | {"messages": [{"role": "user", "content": ""}], "temperature": 0.0, "top_p": 0.5, "seed": None}
EMBED = {"task": "embed", "texts": ["", "one", "two\n"]}
TENSOR = {"dtype": "float32", "shape": [1, 2], "data": bytes.fromhex("0000803f000000c0")}
INFER = {"task": "infer", "tensors": {"x": TENSOR, "__proto__": TENSOR | {"dtype": "int64", "shape": [1]}}}


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
    body = canonical(asked(GREEDY))
    secret = cbor.encode("secret") + cbor.encode(SECRET)
    stream = cbor.encode("stream") + b"\xf4"
    task = cbor.encode("task") + canonical(GREEDY)
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
        "unknown-task-field": ("an unknown field of a task", asked(CHAT | {"stop": []})),
        "no-defaults": (
            "a default left out: another encoding of the task",
            asked({"task": "chat", "messages": [user]}),
        ),
        "float-as-integer": ("temperature 0 as an integer", asked(GREEDY | {"temperature": 0})),
        "no-message": ("no message", asked(CHAT | {"messages": []})),
        "65-messages": ("65 messages", asked(CHAT | {"messages": [user] * 65})),
        "unknown-role": ("an unknown role", asked(CHAT | {"messages": [user | {"role": "tool"}]})),
        "max-tokens-0": ("max_tokens 0", asked(CHAT | {"max_tokens": 0})),
        "temperature-nan": ("temperature NaN", asked(CHAT | {"temperature": float("nan")})),
        "temperature-3": ("temperature 3", asked(CHAT | {"temperature": 3.0})),
        "top-p-0": ("top_p 0", asked(CHAT | {"top_p": 0.0})),
        "seed-2-63": ("seed 2^63", asked(CHAT | {"seed": 1 << 63})),
        "no-text": ("nothing to embed", asked(EMBED | {"texts": []})),
        "unknown-dtype": ("an unknown dtype", asked(INFER | {"tensors": {"x": TENSOR | {"dtype": "complex64"}}})),
        "nine-dimensions": ("nine dimensions", asked(INFER | {"tensors": {"x": TENSOR | {"shape": [1] * 9}}})),
    }
    return [Inner(slug, title, padded(canonical(value)), "fields") for slug, (title, value) in wrong.items()]
