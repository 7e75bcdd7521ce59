"""Pieces of an answer: whole characters, no stop string, each token's log probabilities with its text."""

import pytest

from enclave.engine.generation.answer import Answer
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import TokenLogprob
from tests.enclave.engine.packages import Package

STOP_TOKEN = 2


@pytest.fixture(scope="module")
def tokenizer(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


class Said:
    """Everything that an answer lets be shown for the bytes of a text, one token each."""

    def __init__(self, tokenizer: Tokenizer, text: str, stop: tuple[str, ...] = (), budget: int = 100) -> None:
        self.answer = Answer(tokenizer, frozenset([STOP_TOKEN]), stop, budget)
        self.pieces: list[str] = []
        self.told: list[list[bytes]] = []
        for token in tokenizer.encode_text(text):
            self.push(token)

    def push(self, token: int) -> None:
        if self.answer.finish is None:
            piece = self.answer.push(token, TokenLogprob(self.answer.bytes_of(token), 0.0, []))
            self.pieces.append(piece.text)
            self.told.append([logprob.token for logprob in piece.logprobs])


def test_a_character_is_shown_whole(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "aé😀")
    assert said.pieces == ["a", "", "é", "", "", "", "😀"]
    assert said.told == [[bytes([byte])] for byte in "aé😀".encode()]


def test_an_unfinished_character_is_shown_at_the_end(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "aé", budget=2)
    assert said.pieces == ["a", "\ufffd"]
    assert said.answer.finish == "length"
    assert said.told == [[b"a"], [b"\xc3"]]


def test_the_beginning_of_a_stop_string_is_withheld_and_shown_when_it_is_none(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "a<é<éb", stop=("<é>",))
    assert said.pieces == ["a", "", "", "", "<é", "", "", "<éb"]
    assert [b"".join(told) for told in said.told] == [piece.encode() for piece in said.pieces]


def test_an_answer_ends_before_its_stop_string(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "ab<é>never", stop=("<é>", "never"))
    assert "".join(said.pieces) == "ab"
    assert (said.answer.finish, said.answer.tokens) == ("stop", 6)
    assert sum(map(len, said.told)) == 2  # nothing is told of text that is not shown


def test_a_stop_token_lets_what_was_withheld_be_shown(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "ab<", stop=("<>",))
    said.push(STOP_TOKEN)
    assert said.pieces == ["a", "b", "", "<"]
    assert (said.answer.finish, said.answer.tokens) == ("stop", 4)
    assert sum(map(len, said.told)) == 3


def test_the_budget_lets_what_was_withheld_be_shown(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "ab<", stop=("<>",), budget=3)
    assert said.pieces == ["a", "b", "<"]
    assert said.answer.finish == "length"


def test_a_stop_string_made_of_the_last_token_of_the_budget_stops(tokenizer: Tokenizer) -> None:
    said = Said(tokenizer, "ab", stop=("b",), budget=2)
    assert said.pieces == ["a", ""]
    assert said.answer.finish == "stop"
