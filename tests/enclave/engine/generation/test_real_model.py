"""The converted decoder: the plain loop's tokens, alone and in a batch."""

import json
from collections.abc import Iterator

import jsonschema
import pytest
from tokenizers import Tokenizer as HFTokenizer

from enclave.engine.generation.batch import Batch
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.templates import ChatTemplate
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import ChatTask, CompleteTask, Generation, Message, TextDelta
from tests.enclave.engine.generation.harness import CAPACITY, Talk, answer, assert_clean, load, naive_tokens, run
from tests.enclave.engine.packages import Package, end_of, text_of
from tests.real_models import real_model

QUESTION = "Name three colours, please. 😀"

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def smollm() -> Package:
    """With a context that the tests need and no more."""
    return Package.from_directory(real_model("smollm2-135m")).with_chat(context_tokens=256)


@pytest.fixture(scope="module")
def loaded(smollm: Package) -> Iterator[LanguageModel]:
    model = load(smollm)
    assert model.graph.rows == CAPACITY.slots
    yield model
    assert_clean(model.graph)


def test_a_real_chat_is_the_plain_loop(smollm: Package, loaded: LanguageModel) -> None:
    template = ChatTemplate(smollm.chat.template)
    library = HFTokenizer.from_buffer(smollm.tokenizer)
    messages = [Message("user", QUESTION)]
    prompt = loaded.prompts.encode(messages)
    assert prompt == library.encode(template.render(["user"], [QUESTION]), add_special_tokens=False).ids
    assert text_of(answer(loaded, ChatTask(messages, max_tokens=8))) == library.decode(naive_tokens(smollm, prompt, 8))


def test_a_real_text_is_continued_with_its_bytes(loaded: LanguageModel) -> None:
    task = CompleteTask("😀😃😄 日本語 é ü 😀😃😄 日本語 é ü 😀😃😄 日", max_tokens=24, logprobs=2)
    events = answer(loaded, task)
    told = [logprob for event in events if isinstance(event, TextDelta) for logprob in event.logprobs or ()]
    assert b"".join(logprob.token for logprob in told).decode(errors="replace") == text_of(events)
    assert any(not logprob.token.decode(errors="ignore") for logprob in told)  # a part of a character by itself
    assert len(told) == 24


def test_real_rows_that_join_and_leave_get_what_they_get_alone(smollm: Package, loaded: LanguageModel) -> None:
    tokenizer = Tokenizer.from_bytes(smollm.tokenizer)
    prompt = loaded.prompts.encode([Message("user", QUESTION)])
    plans = [(prompt[: 5 + 9 * (index % 4)], Generation(max_tokens=3 + index % 5, seed=index)) for index in range(15)]
    plans += [(prompt, Generation(max_tokens=6, temperature=0.8, top_p=0.95, seed=1))]
    alone = [Talk(tokenizer, *plan) for plan in plans]
    for each in alone:
        run(Batch(loaded.graph), [each.conversation])
    for count in (2, 4, 8, 16):
        together = [Talk(tokenizer, *plan) for plan in plans[-count:]]
        run(Batch(loaded.graph), [each.conversation for each in together])
        expected = [each.answer.generated for each in alone[-count:]]
        assert [each.answer.generated for each in together] == expected


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_real_answer_is_an_instance_of_its_schema(loaded: LanguageModel, temperature: float) -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 20},
            "country": {"enum": ["France", "Spain", "Italy"]},
            "inhabitants": {"type": "integer", "minimum": 1, "maximum": 99_999_999},
        },
        "required": ["city", "country", "inhabitants"],
        "additionalProperties": False,
    }
    asked = [Message("user", "Tell of Paris as JSON with city, country and inhabitants.")]
    task = ChatTask(asked, schema=json.dumps(schema), max_tokens=60, temperature=temperature, seed=1)
    events = answer(loaded, task)
    assert end_of(events).finish == "stop"
    jsonschema.validate(json.loads(text_of(events)), schema)
