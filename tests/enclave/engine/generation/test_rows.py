"""Whoever joins, reads on, and leaves: rows stay without a hole, and everybody's K/V is in their row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.kv_cache import KVCache
from enclave.engine.generation.rows import Rows
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.catalogue import ChatSettings
from strongroom.protocol.payloads import Generation
from tests.enclave.engine.generation.harness import Talk
from tests.enclave.engine.packages import Package

ROWS = 4
SETTINGS = ChatSettings(layers=1, kv_heads=2, head_size=2, context_tokens=16, stop_tokens=[0], template="")


@pytest.fixture(scope="module")
def tokenizer(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


def conversation(tokenizer: Tokenizer) -> Conversation:
    return Talk(tokenizer, [0], Generation(max_tokens=1)).conversation


def write(cache: KVCache, row: int, mark: int, tokens: int) -> None:
    cache.use(row, tokens)
    for buffer in cache.buffers.values():
        buffer[row, :, :tokens] = mark


@given(actions=st.lists(st.tuples(st.sampled_from(["join", "decode", "leave"]), st.integers(0, ROWS - 1)), max_size=30))
def test_every_conversation_keeps_its_keys_and_values(tokenizer: Tokenizer, actions: list[tuple[str, int]]) -> None:
    cache = KVCache(SETTINGS, ROWS)
    rows = Rows(cache)
    marks: dict[Conversation, int] = {}
    decoding: set[Conversation] = set()
    for number, (action, index) in enumerate(actions, 1):
        if action == "join" and len(rows) < ROWS:
            joined = conversation(tokenizer)
            rows.join(joined)
            marks[joined] = number
            write(cache, rows.row(joined), number, 1 + number % 16)
        elif action == "decode" and index < len(rows):
            chosen = list(rows)[index]
            if chosen not in decoding:
                rows.start_decoding(chosen)
                decoding.add(chosen)
        elif action == "leave" and index < len(rows):
            chosen = list(rows)[index]
            cache.clear(rows.leave(chosen))
            decoding.discard(chosen)
            del marks[chosen]
        assert set(rows.decoding) == decoding
        assert set(rows) == set(marks)
        for member, mark in marks.items():
            for buffer in cache.buffers.values():
                row = buffer[rows.row(member)]
                assert (row[:, : 1 + mark % 16] == mark).all()
                assert not row[:, 1 + mark % 16 :].any()
        assert not any(buffer[len(rows) :].any() for buffer in cache.buffers.values())
        assert not cache._spare.any()
