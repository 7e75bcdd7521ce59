"""The converted models that the project ships recipes for."""

import pytest
from tokenizers import Tokenizer as HFTokenizer

from enclave.engine.arrays import to_array
from enclave.engine.cancellation import Cancellation
from enclave.engine.decoder import Decoder
from enclave.engine.encoder import Encoder
from enclave.engine.prompts import PromptEncoder
from enclave.engine.templates import ChatTemplate
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import ChatTask, Embeddings, EmbedTask, Message
from tests.enclave.engine.packages import Package, text_of
from tests.enclave.engine.test_decoder import naive_tokens
from tests.real_models import real_model

QUESTION = "Name three colours, please. 😀"

pytestmark = pytest.mark.real_model


def package(name: str) -> Package:
    return Package.from_directory(real_model(name))


def test_a_real_chat_is_the_plain_loop() -> None:
    smollm = package("smollm2-135m")
    template = ChatTemplate(smollm.chat.template)
    library = HFTokenizer.from_buffer(smollm.tokenizer)
    prompt = PromptEncoder(template, Tokenizer.from_bytes(smollm.tokenizer), 2048).encode([Message("user", QUESTION)])
    assert prompt == library.encode(template.render(["user"], [QUESTION]), add_special_tokens=False).ids
    decoder = Decoder.load(smollm.manifest, smollm.files, threads=2)
    events = list(decoder.run(ChatTask([Message("user", QUESTION)], max_tokens=8), Cancellation()))
    assert text_of(events) == library.decode(naive_tokens(smollm, prompt, 8))


def test_real_vectors_know_what_is_alike() -> None:
    minilm = package("minilm-l6")
    encoder = Encoder.load(minilm.manifest, minilm.files, threads=2)
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
    (event,) = encoder.run(EmbedTask(texts), Cancellation())
    assert isinstance(event, Embeddings)
    vectors = to_array(event.vectors)
    alike, different = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert alike == pytest.approx(0.755, abs=0.01)
    assert different < 0.1
