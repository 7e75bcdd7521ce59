"""The second implementation: it answers the vectors, and each side opens what the other has sealed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.contents import response_content, split_receipt
from strongroom.protocol.envelopes import entry_id, read_envelope, seal_envelope
from strongroom.protocol.events import encode_events
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.payloads import (
    Alternative,
    ChatTask,
    ClassifyTask,
    CompleteTask,
    DescribeTask,
    Description,
    Embeddings,
    EmbedTask,
    Event,
    Failure,
    GenerationEnd,
    InferTask,
    Message,
    Outputs,
    Receipt,
    Request,
    Rest,
    Scores,
    Span,
    Tags,
    TagTask,
    Task,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.requests import RequestOpener, seal_request
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.tensors import Port, Tensor
from tests.clients import node
from tests.protocol.vectors import suite

AT_MS = 1_760_000_460_000
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONTEXT = {"purpose": "request", "tenant": "Klinik Süd", "": "an empty name", "__proto__": "x"}
ALPHABET = "ab \n\0\x7f\u00fc\u20ac\ufeff\u2028\U0001f642"
TENSORS = {
    "x": Tensor("float32", [1, 2], bytes(8)),
    "__proto__": Tensor("int8", [0], b""),
    "longer name": Tensor("bool", [], b"\1"),
}
DIGEST, RECEIPT = bytes(range(48)), Receipt(bytes(range(256)) * 16)

Made = Callable[[random.Random], Any]


def text(source: random.Random, most: int = 40) -> str:
    return "".join(source.choices(ALPHABET, k=source.randrange(most)))


def options(source: random.Random) -> dict[str, Any]:
    """Each of them now and then its default."""
    return {
        "max_tokens": source.choice([1, 23, 24, 255, 256, 780]),
        "temperature": source.choice([0.0, 1.0, 2.0, 0.7, 1e-5, source.random()]),
        "top_p": source.choice([1.0, 0.5, 5e-324, source.random() or 1.0]),
        "top_k": source.choice([0, 1, 65536]),
        "seed": source.choice([None, 0, (1 << 63) - 1]),
        "stop": [text(source) or "." for _ in range(source.choice([0, 0, 1, 8]))],
        "logprobs": source.choice([None, 0, 20]),
    }


def chat(source: random.Random) -> ChatTask:
    messages = [
        Message(source.choice(["system", "user", "assistant"]), text(source)) for _ in range(source.randint(1, 9))
    ]
    return ChatTask(messages, **options(source))


def complete(source: random.Random) -> CompleteTask:
    return CompleteTask(text(source) or ".", **options(source))


def embed(source: random.Random) -> EmbedTask:
    return EmbedTask([text(source, 4000) for _ in range(source.randint(1, 30))])


def tokens(source: random.Random) -> list[TokenLogprob] | None:
    """What is told of the tokens of a delta, if anything."""
    top = [Alternative(source.randbytes(3), -9999.0), Alternative(b"", 0.0)]
    told = [TokenLogprob(source.randbytes(2), -source.random(), top) for _ in range(source.randrange(3))]
    return told or None


def port(source: random.Random) -> Port:
    shape = [source.choice([0, 1 << 31, None, text(source) or "n"]) for _ in range(source.randrange(9))]
    return Port(text(source), source.choice(["float16", "bool"]), shape)


TASKS: Sequence[Made] = (
    chat,
    complete,
    embed,
    lambda source: ClassifyTask([text(source)]),
    lambda source: TagTask([text(source)]),
    lambda source: InferTask(TENSORS),
    lambda source: DescribeTask(),
)
ENDS: Sequence[Made] = (
    lambda source: GenerationEnd("length", source.randrange(1 << 32), source.randrange(1 << 62)),
    lambda source: Embeddings(TENSORS["x"], source.randrange(1 << 40)),
    lambda source: Scores(["é" * 256, ""], TENSORS["x"]),
    lambda source: Tags([[], [Span(0, source.randrange(1 << 32), text(source), source.random())]]),
    lambda source: Outputs(TENSORS),
    lambda source: Description("1", "infer", [port(source) for _ in range(source.randrange(9))], [port(source)]),
    lambda source: Failure("too-long", text(source), "smollm2-135m"),
)


def plain(value: object) -> Any:
    """As JSON: bytes in hex."""
    return json.loads(json.dumps(msgspec.to_builtins(value, builtin_types=(bytes,)), default=bytes.hex))


def test_it_answers_the_vectors() -> None:
    done = node.node("--test", *(str(path) for path in sorted((node.CLIENT / "test").glob("*.test.js"))))
    assert done.returncode == 0, done.stdout
    counts = {name: int(count) for name, count in re.findall(r"^\S+ (tests|pass|skipped) (\d+)$", done.stdout, re.M)}
    assert counts["pass"] == counts["tests"] > 250
    assert counts["skipped"] == 0


@pytest.mark.parametrize("kem", Suite)
def test_python_opens_what_it_seals(kem: Suite) -> None:
    opener, source = RequestOpener(KEMKeyPair.from_seed(kem, bytes(range(32)))), random.Random(kem)
    tasks = [make(source) for make in TASKS for _ in range(8)]
    where = {"model": "smollm2-135m", "atMs": AT_MS, "configuration": opener.configuration.to_bytes().hex()}
    asked = [where | {"task": plain(task), "stream": bool(at % 2)} for at, task in enumerate(tasks)]
    for at, sealed in enumerate(node.peer(seal=asked)["seal"]):
        head, request = opener.open(bytes.fromhex(sealed["message"]))
        assert request == Request(bytes.fromhex(sealed["secret"]), bool(at % 2), tasks[at])
        assert (head.model, head.timestamp_ms) == ("smollm2-135m", AT_MS)
        assert sealed["mediaType"] == (MEDIA_SEALED_STREAM if at % 2 else MEDIA_SEALED_RESPONSE)


def test_python_opens_its_envelopes() -> None:
    source, data_key, wrapped = random.Random(3), bytes(range(32)), bytes(6144)
    tasks = [make(source) for make in TASKS for _ in range(4)]
    where = {
        "entry": {"arn": ARN, "context": CONTEXT},
        "dataKey": {"plaintext": data_key.hex(), "wrapped": wrapped.hex()},
        "rest": {"notAfterMs": AT_MS + 1, "singleUse": True},
        "model": "smollm2-135m",
        "atMs": AT_MS,
    }
    sealed = node.peer(envelopes=[where | {"task": plain(task)} for task in tasks])["envelopes"]
    for task, each in zip(tasks, sealed, strict=True):
        envelope = read_envelope(bytes.fromhex(each["message"]))
        assert envelope.head.key_id == entry_id(ARN, CONTEXT)
        rest = Rest(AT_MS + 1, single_use=True)
        assert envelope.open(data_key, ARN, CONTEXT) == Request(bytes.fromhex(each["secret"]), False, task, rest)


def _sealed_requests(task: Task, secret: bytes) -> list[bytes]:
    """One for each way in."""
    where: dict[str, Any] = {"request_id": bytes(range(16)), "at_ms": AT_MS, "model": "smollm2-135m"}
    pairs = [KEMKeyPair.from_seed(kem, bytes(32)) for kem in Suite]
    configurations = [KeyConfiguration(pair.suite, pair.public) for pair in pairs]
    rest = Request(secret, False, task, Rest(AT_MS + 1, single_use=False))
    envelope = seal_envelope(rest, data_key=bytes(32), wrapped=bytes(6144), arn=ARN, context=CONTEXT, **where)
    return [*(seal_request(Request(secret, False, task), each, **where) for each in configurations), envelope]


def _answer(sealer: ResponseSealer, chunks: Sequence[Sequence[Event]]) -> bytes:
    last = len(chunks) - 1
    return sealer.head + b"".join(sealer.seal(encode_events(each), last=at == last) for at, each in enumerate(chunks))


def test_it_opens_what_python_seals() -> None:
    source, secret = random.Random(4), bytes(range(32))
    asked, expected = [], []
    for request in _sealed_requests(embed(source), secret):
        for make in ENDS:
            pieces = [TextDelta(text(source), tokens(source)) for _ in range(source.randrange(5))]
            end = [make(source), RECEIPT]
            for media_type, chunks in (
                (MEDIA_SEALED_RESPONSE, [[*pieces, *end]]),
                (MEDIA_SEALED_STREAM, [*([each] for each in pieces), end]),
            ):
                answer = _answer(ResponseSealer(secret, request, media_type, DIGEST), chunks)
                cut = [answer[at : at + 1000].hex() for at in range(0, len(answer), 1000)]
                asked.append({"message": request.hex(), "secret": secret.hex(), "mediaType": media_type, "pieces": cut})
                expected.append(response_content([*pieces, *end]).hex())
                assert split_receipt([*pieces, *end])[1] == RECEIPT.receipt
    opened = node.peer(open=asked)["open"]
    assert [each["content"] for each in opened] == expected
    assert {(each["receipt"], each["documentDigest"]) for each in opened} == {(RECEIPT.receipt.hex(), DIGEST.hex())}


def test_the_vectors_that_it_answers_are_there() -> None:
    assert {f"{name}.json" for name in suite.groups()} <= {path.name for path in suite.FOLDER.iterdir()}


def test_the_lock_names_no_host() -> None:
    lock = (node.CLIENT / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert "://" not in lock
    assert all(package.get("integrity", "").startswith("sha512-") for name, package in packages.items() if name)
