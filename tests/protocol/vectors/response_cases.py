"""The files of sealed responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.protocol.vectors import answers
from tests.protocol.vectors.answers import Event
from tests.protocol.vectors.exchange import RESPONSE_SALT, request
from tests.protocol.vectors.frames import REQUEST_ID
from tests.protocol.vectors.receipts import DOCUMENT_DIGEST, answer_receipt
from tests.protocol.vectors.responses import CHUNK_HEAD_BYTES, HEAD_BYTES, Response, asker, framed, streamed, whole
from tests.protocol.vectors.seeds import derived
from tests.protocol.vectors.vector import (
    ACCEPTED,
    MALFORMED,
    OPEN_FAILED,
    TOO_LARGE,
    TRUNCATED,
    UNSUPPORTED,
    Group,
    Vector,
)
from tests.protocol.vectors.wire import (
    FRAME,
    MEDIA_STREAM,
    canonical,
    flipped,
    padded,
)


def groups() -> list[Group]:
    """The files."""
    return [
        _group("responses-whole", False, [*_whole_accepted(), *_heads(), *_chunks(), *_seals(), *_inner(), *_order()]),
        _group("responses-streamed", True, [*_stream_accepted(), *_sequence()]),
    ]


def _group(name: str, stream: bool, vectors: list[Vector]) -> Group:
    about = (
        "Answers to `request`, whose body held `task` and `secret`. `released` counts the bodies of "
        "chunks that may leave before the refusal. Layer `order`: every chunk opens, and its events are no answer."
    )
    return Group(name, about, "Sealed response", asker(stream), vectors)


def _accepted(slug: str, title: str, response: Response, chunks: Sequence[Sequence[Event]]) -> Vector:
    head = {"suite": 2, "request_id": REQUEST_ID, "salt": RESPONSE_SALT, "document_digest": DOCUMENT_DIGEST}
    facts = answers.facts([event for chunk in chunks for event in chunk])
    gives = {"head": head, "bodies": [canonical(chunk) for chunk in chunks], **facts}
    return Vector(slug, title, response.to_bytes(), ACCEPTED, None, {"gives": gives})


def _whole_accepted() -> list[Vector]:
    return [
        _accepted(slug, title, whole(events), [events])
        for slug, title, events in answers.sound_wholes(answer_receipt())
    ]


def _stream_accepted() -> list[Vector]:
    chunks = answers.streamed(answer_receipt())
    return [_accepted("streamed", "three pieces of text, then the end with its receipt", streamed(), chunks)]


def _refused(slug: str, title: str, message: bytes, outcome: str, layer: str, released: int = 0) -> Vector:
    return Vector(slug, title, message, outcome, layer, {"released": released})


def _heads() -> list[Vector]:
    sound = whole()
    message = sound.to_bytes()
    other_id = derived("another request id", 16)
    return [
        _refused("head-magic", "another magic", b"SRX\1" + message[4:], MALFORMED, "head"),
        _refused("head-version", "version 2", b"SRS\2" + message[4:], MALFORMED, "head"),
        _refused("head-suite-0", "suite 0", replace(sound, suite=0).to_bytes(), UNSUPPORTED, "head"),
        _refused("head-suite-4", "suite 4", replace(sound, suite=4).to_bytes(), UNSUPPORTED, "head"),
        _refused("head-other-suite", "suite 1", replace(sound, suite=1).to_bytes(), OPEN_FAILED, "head"),
        _refused("head-other-id", "another request's id", _with_id(sound, other_id), OPEN_FAILED, "head"),
        _refused("head-salt", "one bit of the salt", flipped(message, 22), OPEN_FAILED, "seal"),
        _refused("head-digest", "one bit of the document digest", flipped(message, 101), OPEN_FAILED, "seal"),
        _refused("head-cut", "a head that ends early", message[:101], TRUNCATED, "end"),
        _refused("head-alone", "a head and no chunk", message[:102], TRUNCATED, "end"),
        _refused("empty", "no bytes", b"", TRUNCATED, "end"),
    ]


def _with_id(sound: Response, request_id: bytes) -> bytes:
    return replace(sound, request_id=request_id).to_bytes()


def _chunks() -> list[Vector]:
    message = whole().to_bytes()
    head, chunk = message[:HEAD_BYTES], message[HEAD_BYTES:]
    long = {"2-32": (1 << 32) - 1, "4-mib": (4 << 20) + 1, "0": 0, "16": 16}
    sizes = [
        _refused(f"length-{slug}", f"a chunk of {size} bytes", _resized(head, chunk, size), TOO_LARGE, "chunk")
        for slug, size in long.items()
    ]
    return [
        *sizes,
        _refused("flag-2", "a flag of 2", head + b"\2" + chunk[1:], MALFORMED, "chunk"),
        _refused("flag-255", "a flag of 255", head + b"\xff" + chunk[1:], MALFORMED, "chunk"),
        _refused("chunk-cut", "one byte short", message[:-1], TRUNCATED, "end"),
        _refused("chunk-head-cut", "a chunk's head that ends early", head + chunk[:4], TRUNCATED, "end"),
        _refused("trailing", "one byte after the last chunk", message + b"\0", MALFORMED, "chunk", released=1),
        _refused("chunk-after-last", "the last chunk once more", message + chunk, MALFORMED, "chunk", released=1),
    ]


def _resized(head: bytes, chunk: bytes, size: int) -> bytes:
    return head + framed(True, chunk[CHUNK_HEAD_BYTES:], size)


def _seals() -> list[Vector]:
    sound = whole()
    message = sound.to_bytes()
    wrong = {
        "ciphertext": ("one bit of the ciphertext", flipped(message, HEAD_BYTES + CHUNK_HEAD_BYTES)),
        "tag": ("one bit of the tag", flipped(message, -1)),
        "flag-cleared": ("the last flag cleared", message[:HEAD_BYTES] + b"\0" + message[HEAD_BYTES + 1 :]),
        "flag-set": ("a first chunk of a stream, flag set", sound.head + _last_flag_set(sound)),
        "counter": ("sealed under counter 1", replace(sound, first_counter=1).to_bytes()),
        "media-type": ("sealed as a stream", replace(sound, media_type=MEDIA_STREAM).to_bytes()),
        "other-request": ("the answer to another request", replace(sound, request=request(True)).to_bytes()),
        "other-secret": ("sealed under another secret", replace(sound, secret=derived("other", 32)).to_bytes()),
        "request-tag": ("bound to a request with another tag", _of_altered(sound, -1)),
        "request-timestamp": ("bound to a request with another timestamp", _of_altered(sound, 61)),
    }
    return [_refused(slug, title, data, OPEN_FAILED, "seal") for slug, (title, data) in wrong.items()]


def _last_flag_set(sound: Response) -> bytes:
    return b"\1" + sound.chunks(ends=False)[0][1:]


def _of_altered(sound: Response, at: int) -> bytes:
    return replace(sound, request=flipped(sound.asked, at)).to_bytes()


def _inner() -> list[Vector]:
    return [
        _refused(slug, title, Response([plaintext]).to_bytes(), MALFORMED, layer, released=int(layer != "padding"))
        for slug, title, plaintext, layer in answers.refused(answer_receipt())
    ]


def _order() -> list[Vector]:
    return [
        _refused(slug, title, whole(events).to_bytes(), MALFORMED, "order", released=1)
        for slug, title, events in answers.disordered(answer_receipt())
    ]


def _sequence() -> list[Vector]:
    sound = streamed()
    head, (first, second, third, last) = sound.head, sound.chunks()
    wrong = {
        "cut-before-last": ("the last chunk left out", [first, second, third], TRUNCATED, "end", 3),
        "cut-after-first": ("the first chunk alone", [first], TRUNCATED, "end", 1),
        "cut-within-last": ("a last chunk that ends early", [first, second, third, last[:-1]], TRUNCATED, "end", 3),
        "unfinished": ("no chunk with the last flag", [first, second, third, _unended()[3]], TRUNCATED, "end", 4),
        "padding-bucket": ("a frame in a bucket larger than needed", [_larger_frame()], MALFORMED, "padding", 0),
        "swapped": ("two chunks in the other order", [second, first, third, last], OPEN_FAILED, "seal", 0),
        "repeated": ("a chunk twice", [first, first, second, third, last], OPEN_FAILED, "seal", 1),
        "left-out": ("a chunk left out", [first, third, last], OPEN_FAILED, "seal", 1),
        "last-first": ("the last chunk first", [last, first, second, third], OPEN_FAILED, "seal", 0),
        "flag-early": ("the second chunk as the last", [first, b"\1" + second[1:]], OPEN_FAILED, "seal", 1),
        "after-last": ("a chunk after the last", [first, second, third, last, third], MALFORMED, "chunk", 4),
    }
    return [
        _refused(slug, title, head + b"".join(chunks), outcome, layer, released)
        for slug, (title, chunks, outcome, layer, released) in wrong.items()
    ]


def _unended() -> list[bytes]:
    """The end as one more frame."""
    *frames, _ = streamed().plaintexts
    end = padded(canonical(answers.streamed(answer_receipt())[-1]), FRAME)
    return Response([*frames, end], stream=True).chunks(ends=False)


def _larger_frame() -> bytes:
    first = streamed().plaintexts[0]
    return Response([first + bytes(FRAME)], stream=True).chunks(ends=False)[0]
