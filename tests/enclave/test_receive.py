"""Receiving weights: however the chunks come, the model is the catalogue's, or the enclave ends."""

import asyncio
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from enclave.boot import receive
from enclave.boot.assemble import ModelAssembly
from enclave.boot.incoming import IncomingFile
from enclave.boot.receive import WeightsReceiver
from enclave.errors import BootRefused
from strongroom.protocol.errors import OpenFailed
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES
from strongroom.protocol.weights import WeightsCipher, seal_weights
from tests.enclave.deployment import ARN
from tests.enclave.weights import DATA_KEY, MIB, Model, cipher_of, context_of, in_pieces

MODEL = Model()


async def received(segments: Sequence[range], model: Model = MODEL) -> dict[str, bytes]:
    """The files, after these segments came side by side; the first refusal is raised."""
    receiver = WeightsReceiver(model.entry, model.cipher)
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(receiver.receive(s.start, s.step, in_pieces(model.segment(s.start, s.stop, s.step))) for s in segments)
        )
    return receiver.finish()[1]


@st.composite
def runs(draw: st.DrawFn) -> list[range]:
    """All chunks of MODEL in segments of neighbours, in any order."""
    edges = sorted({0, 4, *draw(st.sets(st.integers(1, 3)))})
    return draw(st.permutations([range(*pair) for pair in pairwise(edges)]))


@st.composite
def turns(draw: st.DrawFn) -> list[range]:
    """All chunks of MODEL dealt out in turn, in any order."""
    step = draw(st.integers(1, 4))
    return draw(st.permutations([range(first, 4, step) for first in range(step)]))


SEGMENTATIONS = runs() | turns()


@settings(max_examples=50)
@given(SEGMENTATIONS)
def test_every_segmentation_gives_the_model(segments: list[range]) -> None:
    assert asyncio.run(received(segments)) == MODEL.files


@settings(max_examples=50)
@given(SEGMENTATIONS, st.integers(0, 3), st.integers(1, 4), st.integers(1, 3), st.randoms(use_true_random=False))
def test_every_overlap_is_refused(
    segments: list[range], first: int, length: int, step: int, any_: random.Random
) -> None:
    again = range(first, min(first + length, 4), step)
    segments.insert(any_.randrange(len(segments) + 1), again)
    with pytest.raises(BootRefused, match="twice") as caught:
        asyncio.run(received(segments))
    assert caught.value.code == "bad-segment"


@pytest.mark.parametrize("segments", [[(0, 3)], [(1, 4)], [(0, 1), (2, 4)], [(3, 4), (0, 2)], [(0, 4, 2)], [(1, 4, 2)]])
async def test_a_missing_segment_ends_the_wait(
    segments: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.05)
    with pytest.raises(BootRefused, match="every chunk") as caught:
        await received([range(*segment) for segment in segments])
    assert caught.value.code == "input-incomplete"


async def test_a_segment_that_is_slow_but_comes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.4)
    receiver = WeightsReceiver(MODEL.entry, MODEL.cipher)

    async def slow() -> AsyncIterator[bytes]:
        for chunk in MODEL.chunks[:3]:
            await asyncio.sleep(0.2)
            yield chunk

    await asyncio.gather(receiver.receive(3, 1, in_pieces(MODEL.chunks[3])), receiver.receive(0, 1, slow()))
    assert receiver.finish()[1] == MODEL.files


@pytest.fixture
def slow_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stretch of a file takes 0.2 s."""
    hash_ = IncomingFile.hash

    def slowly(file: IncomingFile) -> None:
        time.sleep(0.2)
        hash_(file)

    monkeypatch.setattr(IncomingFile, "hash", slowly)


@pytest.mark.usefixtures("slow_hash")
async def test_no_wait_ends_while_a_file_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one takes longer than a stalled parent is waited for."""
    monkeypatch.setattr(receive, "STALL_S", 0.1)
    assert await received([range(3), range(3, 4)]) == MODEL.files


@pytest.mark.usefixtures("slow_hash")
async def test_what_comes_while_a_file_is_hashed_is_hashed_too() -> None:
    model = Model(sizes=[MIB])
    assert await received([range(1), range(1, 2)], model) == model.files


async def test_other_chunks_wait_for_the_manifest() -> None:
    receiver = WeightsReceiver(MODEL.entry, MODEL.cipher)
    waiting = asyncio.create_task(receiver.receive(1, 1, in_pieces(MODEL.segment(1, 4))))
    await asyncio.sleep(0.05)
    assert receiver._ledger.claimed == 0
    await receiver.receive(0, 1, in_pieces(MODEL.chunks[0]))
    await waiting
    assert receiver.finish()[1] == MODEL.files


@pytest.mark.parametrize("index", range(4))
async def test_an_altered_chunk_opens_nothing(index: int) -> None:
    chunks = list(MODEL.chunks)
    chunks[index] = chunks[index][:-1] + bytes([chunks[index][-1] ^ 1])
    receiver = WeightsReceiver(MODEL.entry, MODEL.cipher)
    with pytest.raises(OpenFailed):
        await asyncio.gather(*(receiver.receive(first, 1, in_pieces(chunks[first])) for first in range(4)))


async def test_chunks_that_changed_places_open_nothing() -> None:
    receiver = WeightsReceiver(MODEL.entry, MODEL.cipher)
    with pytest.raises(OpenFailed):
        await receiver.receive(0, 1, in_pieces(MODEL.chunks[0] + MODEL.chunks[2] + MODEL.chunks[1] + MODEL.chunks[3]))


def sealed_otherwise(plaintext: bytes, cipher: WeightsCipher | None = None) -> tuple[WeightsCipher, bytes]:
    """By somebody who has the data key: another plaintext."""
    cipher = cipher or cipher_of(len(plaintext))
    _, *chunks = seal_weights(cipher, [plaintext])
    return cipher, b"".join(chunks)


def altered(at: int) -> bytes:
    plaintext = bytearray(MODEL.plaintext)
    plaintext[at] ^= 1
    return bytes(plaintext)


FRONT = 4 + len(MODEL.manifest)
BAD: dict[str, Callable[[], bytes]] = {
    "another manifest": lambda: altered(10),
    "another length of the manifest": lambda: altered(3),
    "a manifest behind the chunk": lambda: b"\xff" + MODEL.plaintext[1:],
    "no manifest": lambda: bytes(4) + MODEL.plaintext[FRONT:],
    "less than a length": lambda: MODEL.plaintext[:3],
    "the first byte of the first file": lambda: altered(FRONT),
    "the second file": lambda: altered(FRONT + 1),
    "the last byte of the last file": lambda: altered(-1),
    "a byte less": lambda: MODEL.plaintext[:-1],
    "a byte more": lambda: MODEL.plaintext + b"x",
    "the manifest alone": lambda: MODEL.plaintext[:FRONT],
    "a chunk more": lambda: MODEL.plaintext + bytes(MIB),
}


@pytest.mark.parametrize("what", BAD)
async def test_whoever_sealed_it_it_is_the_catalogues_model_or_nothing(what: str) -> None:
    cipher, data = sealed_otherwise(BAD[what]())
    receiver = WeightsReceiver(MODEL.entry, cipher)
    with pytest.raises(BootRefused) as caught:
        await receiver.receive(0, 1, in_pieces(data))
    assert caught.value.code == "model-rejected"
    with pytest.raises(BootRefused):
        receiver.finish()


@pytest.mark.parametrize("change", [{"id": "other"}, {"version": "2"}, {"task": "embed"}])
async def test_the_manifest_says_what_the_catalogue_says(change: dict[str, str]) -> None:
    receiver = WeightsReceiver(structs.replace(MODEL.entry, **change), MODEL.cipher)
    with pytest.raises(BootRefused, match="id, version and task"):
        await receiver.receive(0, 1, in_pieces(MODEL.segment(0, 4)))


@pytest.mark.parametrize("change", [{"tenant": "other"}, {"purpose": "request"}])
async def test_the_key_entry_of_another_tenant_or_purpose_opens_nothing(change: dict[str, str]) -> None:
    cipher = WeightsCipher(MODEL.cipher.head, DATA_KEY, ARN, context_of("big") | change)
    with pytest.raises(OpenFailed):
        await WeightsReceiver(MODEL.entry, cipher).receive(0, 1, in_pieces(MODEL.segment(0, 4)))


async def test_a_wrong_total_opens_nothing() -> None:
    head = structs.replace(MODEL.cipher.head, plaintext_bytes=MODEL.cipher.head.plaintext_bytes + 1)
    cipher = WeightsCipher(head, DATA_KEY, ARN, context_of("big"))
    with pytest.raises(OpenFailed):
        await WeightsReceiver(MODEL.entry, cipher).receive(0, 1, in_pieces(MODEL.segment(0, 4)))


def test_before_the_last_chunk_there_is_no_model() -> None:
    assembly = ModelAssembly(MODEL.entry, len(MODEL.plaintext))
    with pytest.raises(BootRefused, match="got none"):
        assembly.finish()
    chunk = MODEL.plaintext[:WEIGHTS_CHUNK_BYTES]
    assembly.begin(assembly.read_manifest(chunk), chunk)
    with pytest.raises(BootRefused, match="got a part"):
        assembly.finish()


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that Python held at a time for it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_nothing_is_allocated_for_a_manifest_that_is_not_the_catalogues() -> None:
    manifest = MODEL.manifest.replace(b"2097152", b"68719476736")
    assert manifest != MODEL.manifest
    chunk = len(manifest).to_bytes(4, "big") + manifest
    assembly = ModelAssembly(MODEL.entry, len(chunk) + (1 << 36))

    def read() -> None:
        with pytest.raises(BootRefused, match="manifest of the catalogue"):
            assembly.read_manifest(chunk)

    assert peak_bytes(read) < 1 << 20


def test_the_files_are_held_once() -> None:
    model = Model(sizes=[32 * MIB])
    segments = [(0, 8), (8, 16), (16, 24), (24, 33)]
    bodies = {first: model.segment(first, end) for first, end in segments}
    receiver = WeightsReceiver(model.entry, model.cipher)

    async def receive_all() -> None:
        await asyncio.gather(*(receiver.receive(first, 1, in_pieces(body)) for first, body in bodies.items()))

    def receive_and_finish() -> None:
        asyncio.run(receive_all())
        assert len(receiver.finish()[1]["file-0"]) == 32 * MIB

    in_flight = 4 * 4 * MIB  # for each connection: what came, the sealed chunk, the open one
    assert peak_bytes(receive_and_finish) < 32 * MIB + in_flight
