"""Answers held to a JSON schema: every complete one is an instance of it, whatever the model would rather say."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer as HFTokenizer
from tokenizers import decoders, models

from enclave.engine.errors import InferenceFailed, InvalidRequest
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.constraint import Constraint, Constraints
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.sampling import Sampler
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import ChatTask, CompleteTask, Generation, TextDelta
from tests.enclave.engine.generation.harness import HELLO, Heard, answer, load, run
from tests.enclave.engine.generation.hostile_schemas import WITHIN_BOUNDS
from tests.enclave.engine.packages import Package, end_of, text_of

ROOT = Path(__file__).parents[4]
WORD = {"type": "string", "maxLength": 5}
DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
TREE = {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 1}]}
CODE = {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "object": {
        "type": "object",
        "properties": {"name": WORD, "age": {"type": "integer", "minimum": -3, "maximum": 130}, "ok": DIGIT},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
    "array": {"type": "array", "items": {"enum": ["red", "é€😀", 7, None]}, "minItems": 2, "maxItems": 4},
    "tuple": {"prefixItems": [WORD, {"const": 'a"b'}], "items": False, "minItems": 2, "type": "array"},
    "alternatives": {"anyOf": [{"type": "number", "minimum": 0.5, "exclusiveMaximum": 2}, {"type": "null"}, WORD]},
    "definitions": {"$defs": {"tree": TREE}, "$ref": "#/$defs/tree"},
    "texts": {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}, "code": CODE},
        "required": ["day", "code"],
        "additionalProperties": DIGIT,
    },
}


def asked(schema: dict[str, Any], **options: Any) -> ChatTask:
    return ChatTask(HELLO, schema=json.dumps(schema), **{"max_tokens": 300, **options})


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("name", SCHEMAS)
def test_a_complete_answer_is_an_instance(model: LanguageModel, name: str, temperature: float) -> None:
    complete = 0
    for seed in range(6):
        events = answer(model, asked(SCHEMAS[name], temperature=temperature, seed=seed, top_p=0.95, top_k=50))
        if end_of(events).finish == "stop":
            complete += 1
            jsonschema.validate(json.loads(text_of(events)), SCHEMAS[name], format_checker=jsonschema.FormatChecker())
    assert complete >= 3


def test_the_same_model_says_no_json_of_itself(model: LanguageModel) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(answer(model, ChatTask(HELLO, max_tokens=300))))


def test_a_text_is_continued_with_an_instance(model: LanguageModel) -> None:
    events = answer(model, CompleteTask("x", schema='{"const": "yes"}', max_tokens=9))
    assert text_of(events) == '"yes"'
    assert end_of(events).finish == "stop"


def test_an_answer_may_be_cut(model: LanguageModel) -> None:
    events = answer(model, asked({"const": "a" * 50}, max_tokens=9))
    assert text_of(events) == '"aaaaaaaa'
    assert end_of(events).finish == "length"


def test_a_stop_string_ends_before_the_schema_does(model: LanguageModel) -> None:
    events = answer(model, asked({"const": "abcd"}, stop=["c"]))
    assert (text_of(events), end_of(events).finish) == ('"ab', "stop")


def test_log_probabilities_are_the_models_own(model: LanguageModel) -> None:
    free = answer(model, ChatTask(HELLO, max_tokens=1, logprobs=20))
    held = answer(model, asked({"const": "a"}, max_tokens=1, logprobs=20))
    assert [told.top for event in free if isinstance(event, TextDelta) for told in event.logprobs or ()] == [
        told.top for event in held if isinstance(event, TextDelta) for told in event.logprobs or ()
    ]


def test_side_by_side_each_gets_what_it_gets_alone(model: LanguageModel) -> None:
    tasks = [
        asked(SCHEMAS["object"], temperature=1.0, seed=1, max_tokens=40),
        ChatTask(HELLO, max_tokens=40),
        asked(SCHEMAS["array"], max_tokens=40),
        asked(SCHEMAS["object"], temperature=1.0, seed=2, max_tokens=40),
        ChatTask(HELLO, max_tokens=40, temperature=1.0, seed=1),
    ]
    heard = [Heard() for _ in tasks]
    run(Batch(model.graph), [model.start(*each) for each in zip(tasks, heard, strict=True)])
    assert [each.events for each in heard] == [answer(model, task) for task in tasks]


def test_a_schema_that_nothing_fits_is_refused_before_anything_is_run(model: LanguageModel) -> None:
    for schema in ({"enum": ["secret"], "type": "integer"}, {"$ref": "#"}, {"$ref": "#/$defs/secret"}):
        with pytest.raises(InvalidRequest, match="schema: expected one that text can satisfy") as refused:
            model.start(asked(schema), Heard())
        assert "secret" not in str(refused.value)


def test_llguidance_gets_what_the_bounds_left_and_no_more(model: LanguageModel) -> None:
    for schema in ({"type": "integer", "multipleOf": 1_000_003}, {"x-guidance": {"lenient": True}}):
        with pytest.raises(InvalidRequest, match="keywords and bounds"):
            model.start(asked(schema), Heard())


def test_alternatives_that_are_alike_are_not_followed_for_ever(model: LanguageModel) -> None:
    with pytest.raises(InvalidRequest, match="fewer alternatives that begin alike"):
        answer(model, asked(WITHIN_BOUNDS["objects alike"]))


def test_what_becomes_too_complex_ends_its_own_answer_alone(model: LanguageModel) -> None:
    heard = [Heard(), Heard()]
    beside = ChatTask(HELLO, max_tokens=20)
    failing = model.start(asked(WITHIN_BOUNDS["a pattern with nested counts"]), heard[0])
    run(Batch(model.graph), [failing, model.start(beside, heard[1])])
    assert isinstance(failing.failure, InvalidRequest)
    assert heard[1].events == answer(model, beside)


@pytest.mark.parametrize("stop", [[0], [2]], ids=["another stops", "it stops"])
def test_a_control_token_in_a_schema_is_spelled_out(decoder_package: Package, stop: list[int]) -> None:
    model = load(decoder_package.with_chat(stop_tokens=stop))
    for schema in (
        {"const": "<|im_end|>"},
        {"enum": ["a<|im_end|>"]},
        {"type": "string", "pattern": "^<\\|im_end\\|>$"},
    ):
        events = answer(model, asked(schema, max_tokens=40))
        jsonschema.validate(json.loads(text_of(events)), schema)
        assert end_of(events).finish == "stop"


def test_a_stop_token_that_is_text_too_stops_only_where_an_instance_ends(decoder_package: Package) -> None:
    [letter] = Tokenizer.from_bytes(decoder_package.tokenizer).encode_text("e")
    model = load(decoder_package.with_chat(stop_tokens=[letter]))
    held = model._constraints.follow('{"type": "string"}')
    for text, allowed in {'"d': False, '"': True}.items():
        for token in Tokenizer.from_bytes(decoder_package.tokenizer).encode_text(text):
            held.push(token)
        assert (letter in left(held, np.zeros(model.graph.vocabulary, dtype=np.float32))) == allowed


def says(model: LanguageModel, schema: dict[str, Any], text: str) -> bool:
    """Whether an answer held to the schema may be that text, byte by byte."""
    held = model._constraints.follow(json.dumps(schema))
    for token in model.prompts.encode_text(text):
        if token not in left(held, np.zeros(model.graph.vocabulary, dtype=np.float32)):
            return False
        held.push(token)
    return 200 in left(held, np.zeros(model.graph.vocabulary, dtype=np.float32))


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("admin", ["\\u0061dmin", "ad\\u006Din"]),
        ("a\tb", ["a\\u0009b"]),
        ('a"b', ["a\\u0022b"]),
        ("a/b", ["a\\/b"]),
        ("é", ["\\u00e9"]),
    ],
)
def test_a_name_has_one_spelling(model: LanguageModel, name: str, others: list[str]) -> None:
    """Readers take the last of two equal names: with another spelling an answer could say what its schema excludes."""
    schema = {"type": "object", "properties": {name: {"const": False}}, "required": [name]}
    once = json.dumps({name: False}, ensure_ascii=False)
    assert says(model, schema, once)
    assert says(model, schema, once[:-1] + ', "other": true}')
    for other in others:
        assert not says(model, schema, f'{once[:-1]}, "{other}": true}}')


@pytest.mark.parametrize(
    "text", ["\\u0001", "\\u007f", "\\ud800", "\x7f"], ids=["control", "delete escaped", "half a pair", "delete"]
)
def test_texts_hold_no_control_characters(model: LanguageModel, text: str) -> None:
    assert says(model, {"type": "string"}, '"\\n\\t\\"é😀"')
    assert not says(model, {"type": "string"}, f'"{text}"')


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_told_of_whatever_the_schema_excludes(model: LanguageModel, bad: float) -> None:
    logits = np.zeros(model.graph.vocabulary, dtype=np.float32)
    logits[model.prompts.encode_text("z")] = bad
    masked = model._constraints.follow('{"const": 1}').masked(logits)
    with pytest.raises(InferenceFailed, match="finite"):
        Sampler(Generation()).next(masked)


def test_a_model_without_bytes_takes_no_schema() -> None:
    library = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    constraints = Constraints(Tokenizer.from_bytes(library.to_str().encode()), [0], 16)
    with pytest.raises(InvalidRequest, match="no schema for this model"):
        constraints.follow("{}")


def test_a_tokenizer_that_llguidance_would_panic_over_takes_schemas() -> None:
    """One whose spaces are not the token before them, and one token looks like a byte and is none."""
    spellings = ["<s>", "<0xZZ>", "▁", *map(chr, range(0x21, 0x7F)), *(f"<0x{byte:02X}>" for byte in range(256))]
    library = HFTokenizer(models.BPE({each: token for token, each in enumerate(spellings)}, [], byte_fallback=True))
    library.add_special_tokens(["<s>"])
    replace = decoders.Replace("▁", " ")
    library.decoder = decoders.Sequence([replace, decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    held = Constraints(Tokenizer.from_bytes(library.to_str().encode()), [0], 400).follow('{"const": " é"}')
    tokens = [spellings.index(each) for each in ('"', "▁", "<0xC3>", "<0xA9>", '"', "<s>")]
    for token in tokens:
        assert token in left(held, np.zeros(400, dtype=np.float32))
        held.push(token)


def test_only_what_continues_an_instance_is_left(decoder_package: Package, loaded: LanguageModel) -> None:
    vocabulary = loaded.graph.vocabulary + 3  # as graphs are padded
    stop = {0, 1}
    held = Constraints(Tokenizer.from_bytes(decoder_package.tokenizer), stop, vocabulary).follow('{"enum": [7, 75]}')
    logits = np.arange(vocabulary, dtype=np.float32)
    tokens: dict[str, int] = json.loads(decoder_package.tokenizer)["model"]["vocab"]
    for digit, allowed in {"7": {tokens["7"]}, "5": {tokens["5"], *stop}}.items():
        assert left(held, logits) == allowed
        held.push(tokens[digit])
    assert left(held, logits) == stop
    assert logits.tolist() == list(range(vocabulary))


def left(held: Constraint, logits: NDArray[np.float32]) -> set[int]:
    masked = held.masked(logits)
    kept = np.flatnonzero(masked != -np.inf)
    assert (masked[kept] == logits[kept]).all()
    return set(kept.tolist())


def test_hostile_schemas_cost_little(tmp_path: Path, decoder_package: Package) -> None:
    """In a child, since what this guards against ends a process: an abort for want of memory, a stack that is full."""
    (tmp_path / "tokenizer.json").write_bytes(decoder_package.tokenizer)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    command = [sys.executable, "-m", "tests.enclave.engine.generation.hostile_child", str(tmp_path / "tokenizer.json")]
    child = subprocess.run(command, cwd=ROOT, preexec_fn=limit, capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, "")
    costs: dict[str, dict[str, float]] = json.loads(child.stdout)
    assert costs.keys() == WITHIN_BOUNDS.keys()
    assert {name: cost for name, cost in costs.items() if cost["start_ms"] > 1000 or cost["worst_step_ms"] > 100} == {}
