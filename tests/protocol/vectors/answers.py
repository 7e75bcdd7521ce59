"""What is answered in the vectors, sound and not: events in the bodies of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.attestation.vectors import cbor
from tests.protocol.vectors import tasks
from tests.protocol.vectors.exchange import END, RESPONSE_SALT, TEXT
from tests.protocol.vectors.wire import LAST, canonical, hkdf, padded, sha256

Event = dict[str, object]

_TENSOR = tasks.TENSOR
EMBEDDINGS: Event = {"event": "embeddings", "vectors": _TENSOR, "prompt_tokens": 5}
SCORES: Event = {"event": "scores", "labels": ["good", "bad"], "scores": _TENSOR}
_SPAN = {"start": 4, "end": 10, "label": "place", "score": 0.5}
TAGS: Event = {"event": "tags", "spans": [[], [_SPAN]]}
_ALTERNATIVE = {"token": b"", "logprob": -9999.0}
_TOKEN = {"token": b"\xf0\x9f", "logprob": -0.5, "top": [_ALTERNATIVE]}
OUTPUTS: Event = {"event": "outputs", "tensors": {"logits": _TENSOR, "__proto__": _TENSOR}}
_PORT = {"name": "x", "dtype": "float32", "shape": ["batch", None, 4, 0]}
DESCRIPTION: Event = {
    "event": "description",
    "version": "1.0",
    "task": "infer",
    "inputs": [_PORT, _PORT | {"name": "🙂" * 128, "shape": ["🙂" * 128] * 8}],
    "outputs": [_PORT | {"name": "__proto__", "dtype": "int64", "shape": []}],
}
_OF_TEXTS: Event = DESCRIPTION | {"task": "chat", "inputs": [], "outputs": []}
FAILURE: Event = {"event": "failure", "code": "expired", "detail": "Seal again.", "model": None}
NAMED_FAILURE: Event = FAILURE | {"code": "unknown-model", "model": "smollm2-135m"}


def receipt_event(receipt: bytes) -> Event:
    """The very last event."""
    return {"event": "receipt", "receipt": receipt}


def delta(text: str) -> Event:
    """A piece of text."""
    return {"event": "delta", "text": text}


def told(text: str, *tokens: object) -> Event:
    """A piece of text and what is told of tokens."""
    return delta(text) | {"logprobs": list(tokens)}


def whole(receipt: bytes) -> list[Event]:
    """The chat's answer in one."""
    return [delta("".join(TEXT)), END, receipt_event(receipt)]


def streamed(receipt: bytes) -> list[list[Event]]:
    """The same in pieces."""
    return [*([delta(piece)] for piece in TEXT), [END, receipt_event(receipt)]]


def content(events: Sequence[dict[str, Any]]) -> bytes:
    """What a receipt commits to: deltas joined, receipt left out."""
    deltas = [event for event in events if event["event"] == "delta"]
    others = [event for event in events if event["event"] not in ("delta", "receipt")]
    text = "".join(str(event["text"]) for event in deltas)
    tokens = [token for event in deltas for token in event.get("logprobs", ())]
    said = [told(text, *tokens)] if tokens else [delta(text)] if text else []
    return canonical([*said, *others])


def salts() -> dict[str, bytes]:
    """Of the receipt of the answer under RESPONSE_SALT."""
    material = hkdf(tasks.SECRET, RESPONSE_SALT, b"strongroom receipt v1\0", 96)
    return {"request": material[:32], "response": material[32:64], "leaf": material[64:]}


def facts(events: Sequence[Event]) -> dict[str, object]:
    """What follows from a sound answer."""
    committed = {
        "request": sha256(salts()["request"], canonical(tasks.CHAT)),
        "response": sha256(salts()["response"], content(events)),
    }
    return {"receipt_salts": salts(), "content": content(events), "commitments": committed}


def sound_wholes(receipt: bytes) -> Iterator[tuple[str, str, list[Event]]]:
    """Whole answers of each kind."""
    last = receipt_event(receipt)
    yield "chat", "text, its end, the receipt", whole(receipt)
    yield "chat-without-text", "an end without text", [END | {"completion_tokens": 0}, last]
    yield "logprobs", "what is told of tokens, the last without text", [*_tokens_told(), END, last]
    yield "embeddings", "embeddings", [EMBEDDINGS, last]
    yield "scores", "scores by label", [SCORES, last]
    yield "tags", "labelled spans", [TAGS, last]
    yield "outputs", "tensors, one of them named `__proto__`", [OUTPUTS, last]
    yield "description", "what a tensor model is", [DESCRIPTION, last]
    yield "description-of-texts", "what a model is whose tasks bring texts", [_OF_TEXTS, last]
    yield "failure", "a failure", [FAILURE, last]
    yield "failure-model", "a failure that names a model", [NAMED_FAILURE, last]
    yield "failure-after-text", "text, then a failure", [delta("The"), FAILURE | {"code": "internal"}, last]


def _tokens_told() -> list[Event]:
    tokens = [_TOKEN | {"token": token} for token in (b"The", b"\xf0\x9f", b"\x99\x82")]
    return [
        told("The", tokens[0]),
        told("", tokens[1]),
        told("🙂", tokens[2] | {"top": [_ALTERNATIVE] * 20}),
        delta("!"),
    ]


def refused(receipt: bytes) -> Iterator[tuple[str, str, bytes, str]]:
    """Plaintexts with one defect, and its layer."""
    sound = padded(canonical(whole(receipt)), LAST)
    yield "padding-of-3", "a plaintext of 3 bytes", b"\0\0\0", "padding"
    yield "padding-length", "a length beyond the plaintext", b"\xff" * 4 + sound[4:], "padding"
    yield "padding-bucket", "a bucket larger than needed", sound + bytes(len(sound)), "padding"
    yield "padding-bucket-of-frames", "a last chunk in a bucket of 1 KiB", sound[:1024], "padding"
    yield "padding-filling", "a last byte that is not zero", sound[:-1] + b"\1", "padding"
    for slug, (title, body) in _bodies(receipt).items():
        yield slug, title, padded(body, LAST), "encoding"
    for slug, (title, events) in _events(receipt).items():
        yield slug, title, padded(canonical(events), LAST), "fields"


def _bodies(receipt: bytes) -> dict[str, tuple[str, bytes]]:
    """Answers that would be sound, were it not for the encoding."""
    body = canonical(whole(receipt))
    text, event = cbor.encode("text") + cbor.encode("".join(TEXT)), cbor.encode("event") + cbor.encode("delta")
    rest = body.removeprefix(b"\x83\xa2" + text + event)
    return {
        "body-empty": ("no body", b""),
        "body-trailing": ("a byte behind the body", body + b"\0"),
        "body-tagged": ("a tag", b"\xc6" + body),
        "body-indefinite": ("a list of indefinite length", b"\x9f" + body[1:] + b"\xff"),
        "body-keys-unordered": ("event before text: not the shorter key first", b"\x83\xa2" + event + text + rest),
        "body-key-twice": ("text twice", b"\x83\xa3" + text + text + event + rest),
        "body-number-as-key": ("a number as a key", b"\x83\xa3" + text + b"\x01\x01" + event + rest),
        "body-map-as-key": ("a map as a key", b"\x83\xa3" + text + b"\xa0\x01" + event + rest),
        "body-long-head": ("a head in two bytes", b"\x98\x03" + body[1:]),
        "body-bomb": ("lists in lists, 64 deep", b"\x81" * 64 + b"\xf6"),
        "body-length-2-32": ("a list of 2^32 - 1 that is not there", b"\x9a\xff\xff\xff\xff"),
        "text-not-utf-8": ("text that is no UTF-8", body.replace(b"The report", b"The\xffreport")),
    }


def _events(receipt: bytes) -> dict[str, tuple[str, object]]:
    """Answers that would be sound, were it not for one event."""
    last = receipt_event(receipt)
    deltas: dict[str, tuple[str, object]] = {
        "not-an-event": ("text in the place of an event", "delta"),
        "event-absent": ("no event", {"text": "x"}),
        "unknown-field": ("an unknown field", delta("x") | {"index": 0}),
        "no-text": ("a delta without text", {"event": "delta"}),
        "text-bytes": ("text of bytes", delta("x") | {"text": b"x"}),
        "logprobs-null": ("a default written out", delta("x") | {"logprobs": None}),
        "logprobs-none": ("nothing told of tokens", told("x")),
        "token-text": ("a token of text", told("x", _TOKEN | {"token": "x"})),
        "token-field": ("an unknown field of a token", told("x", _TOKEN | {"id": 1})),
        "logprob-positive": ("a probability above 1", told("x", _TOKEN | {"logprob": 0.5})),
        "logprob-nan": ("a log probability of NaN", told("x", _TOKEN | {"logprob": float("nan")})),
        "logprob-infinite": ("a log probability of -infinity", told("x", _TOKEN | {"logprob": float("-inf")})),
        "logprob-integer": ("a log probability as an integer", told("x", _TOKEN | {"logprob": 0})),
        "21-alternatives": ("21 alternatives", told("x", _TOKEN | {"top": [_ALTERNATIVE] * 21})),
    }
    ends: dict[str, tuple[str, object]] = {
        "unknown-event": ("an unknown event", {"event": "thought", "text": "x"}),
        "event-of-object": ("the name of an object's own method", {"event": "toString"}),
        "unknown-finish": ("an unknown reason to stop", END | {"finish": "bored"}),
        "count-negative": ("a negative count", END | {"prompt_tokens": -1}),
        "embeddings-uncounted": ("embeddings without a count", {"event": "embeddings", "vectors": _TENSOR}),
        "embeddings-count": ("a negative count of embeddings", EMBEDDINGS | {"prompt_tokens": -1}),
        "unknown-failure": ("an unknown failure", FAILURE | {"code": "tired"}),
        "failure-detail": ("a detail of 513 characters", FAILURE | {"detail": "x" * 513}),
        "failure-model": ("a model id that is none", FAILURE | {"model": "../etc"}),
        "no-labels": ("scores without labels", SCORES | {"labels": []}),
        "label-of-257": ("a label of 257 characters", SCORES | {"labels": ["x" * 257]}),
        "span-negative": ("a span that begins at -1", TAGS | {"spans": [[_SPAN | {"start": -1}]]}),
        "span-score": ("a score above 1", TAGS | {"spans": [[_SPAN | {"score": 1.5}]]}),
        "span-field": ("an unknown field of a span", TAGS | {"spans": [[_SPAN | {"word": "x"}]]}),
        "spans-not-by-text": ("spans of no text", TAGS | {"spans": [_SPAN]}),
        "tensor-dtype": ("an unknown dtype", EMBEDDINGS | {"vectors": _TENSOR | {"dtype": "complex64"}}),
        "tensor-shape": ("a negative dimension", EMBEDDINGS | {"vectors": _TENSOR | {"shape": [-1]}}),
        "tensor-symbol": ("a symbol in the shape of a tensor", EMBEDDINGS | {"vectors": _TENSOR | {"shape": ["n", 2]}}),
        "tensor-dimension": ("a dimension above 2^31", EMBEDDINGS | {"vectors": _TENSOR | {"shape": [(1 << 31) + 1]}}),
        **_descriptions(),
    }
    receipts = {
        "receipt-empty": ("a receipt of no bytes", receipt_event(b"")),
        "receipt-of-4097": ("a receipt of 4,097 bytes", receipt_event(bytes(4097))),
    }
    return {
        "not-a-list": ("a map", END),
        **{slug: (title, [event, END, last]) for slug, (title, event) in deltas.items()},
        **{slug: (title, [event, last]) for slug, (title, event) in ends.items()},
        **{slug: (title, [END, event]) for slug, (title, event) in receipts.items()},
    }


def _descriptions() -> dict[str, tuple[str, object]]:
    ports: dict[str, tuple[str, dict[str, object]]] = {
        "port-field": ("an unknown field of a port", {"doc": "x"}),
        "port-name": ("a name of 129 characters", {"name": "🙂" * 129}),
        "port-dtype": ("an unknown dtype of a port", {"dtype": "string"}),
        "port-shape": ("no shape", {"shape": None}),
        "port-dimensions": ("nine dimensions of a port", {"shape": [1] * 9}),
        "port-negative": ("a negative dimension of a port", {"shape": [-1]}),
        "port-dimension": ("a dimension of a port above 2^31", {"shape": [(1 << 31) + 1]}),
        "port-symbol-empty": ("a symbol without characters", {"shape": [""]}),
        "port-symbol": ("a symbol of 129 characters", {"shape": ["🙂" * 129]}),
        "port-symbol-bytes": ("a symbol of bytes", {"shape": [b"n"]}),
    }
    wholes: dict[str, tuple[str, Event]] = {
        "description-task": ("a model of a task that none has", {"task": "complete"}),
        "description-version": ("a version that is none", {"version": "The first"}),
        "65-inputs": ("65 inputs", {"inputs": [_PORT] * 65}),
        "257-outputs": ("257 outputs", {"outputs": [_PORT] * 257}),
    }
    return {
        **{slug: (title, DESCRIPTION | {"inputs": [_PORT | change]}) for slug, (title, change) in ports.items()},
        **{slug: (title, DESCRIPTION | change) for slug, (title, change) in wholes.items()},
    }


def disordered(receipt: bytes) -> Iterator[tuple[str, str, list[Event]]]:
    """Sound events that are no answer."""
    last = receipt_event(receipt)
    yield "no-events", "no events", []
    yield "no-receipt", "no receipt", [delta("x"), END]
    yield "receipt-alone", "a receipt and nothing else", [last]
    yield "no-end", "text and a receipt", [delta("x"), last]
    yield "receipts-alone", "two receipts and nothing else", [last, last]
    yield "receipt-first", "the receipt before the end", [delta("x"), last, END]
    yield "receipt-twice", "two receipts", [END, last, last]
    yield "two-ends", "two events that end it", [END, FAILURE, last]
    yield "text-after-end", "text after the end", [END, delta("x"), last]
