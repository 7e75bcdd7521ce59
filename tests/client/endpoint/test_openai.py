"""The stock `openai` package in process: synchronous, asynchronous, streaming; nothing of it is changed."""

import asyncio
import base64
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from strongroom.client.endpoint.transports import BASE_URL, AsyncTransport, Transport
from strongroom.client.loop_thread import LoopThread
from strongroom.client.proofs import Proof
from strongroom.protocol.constants import PATH_EVIDENCE, PATH_SEALED
from strongroom.protocol.payloads import ChatTask, CompleteTask, Event, Failure, FailureCode
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from tests.client.endpoint.conftest import NewSession
from tests.client.fake_enclave import PIECES
from tests.client.fake_gateway import MODELS, FakeGateway, problem

TEXT = "".join(PIECES)
PROGRAM = """
import sys
from pathlib import Path
import httpx2, openai
from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from strongroom.client.endpoint.transports import BASE_URL, Transport
from strongroom.client.session import AttestedSession

url, policy, root = sys.argv[1], *(Path(name).read_bytes() for name in sys.argv[2:])
anchor = SimulatedTrustAnchor.from_pem(root)
session = AttestedSession(url, policy=load_policy(policy), anchor=anchor, allow_simulated=True)
client = openai.OpenAI(base_url=BASE_URL, api_key="none", http_client=httpx2.Client(transport=Transport(session)))
question = {"role": "user", "content": "Where?"}
stream = client.chat.completions.create(model="tiny-chat", messages=[question], stream=True)
print(next(stream).choices[0].delta.role)
"""
ASKED: Any = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Where?"}]}


@pytest.fixture
def proofs() -> dict[str, Proof]:
    return {}


@pytest.fixture
def client(new_session: NewSession, proofs: dict[str, Proof]) -> Iterator[openai.OpenAI]:
    transport = Transport(new_session(), keep_proof=proofs.__setitem__)
    with openai.OpenAI(
        base_url=BASE_URL, api_key="none", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as client:
        yield client


@pytest.fixture
async def async_client(new_session: NewSession) -> AsyncIterator[openai.AsyncOpenAI]:
    http_client = httpx2.AsyncClient(transport=AsyncTransport(new_session()))
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0, http_client=http_client) as client:
        yield client


def test_a_chat(client: openai.OpenAI, gateway: FakeGateway) -> None:
    answer = client.chat.completions.create(**ASKED, temperature=0, max_tokens=8, stop="x", seed=3, user="me")
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 6, 13)
    [(_, request)] = gateway.enclave.opened
    assert isinstance(request.task, ChatTask)
    assert (request.task.temperature, request.task.max_tokens, request.task.stop) == (0, 8, ["x"])


def test_a_streamed_chat(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-2]] == PIECES
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_a_completion_whole_and_streamed(client: openai.OpenAI, gateway: FakeGateway) -> None:
    whole = client.completions.create(model="tiny-chat", prompt="Where?")
    pieces = client.completions.create(model="tiny-chat", prompt="Where?", stream=True)
    assert whole.choices[0].text == "".join(piece.choices[0].text for piece in pieces) == TEXT
    for _, request in gateway.enclave.opened:
        assert isinstance(request.task, CompleteTask)
        assert request.task.max_tokens == 16


def test_embeddings_in_both_encodings(client: openai.OpenAI) -> None:
    for options in ({}, {"encoding_format": "float"}, {"dimensions": 2}):  # without one, the package asks for base64
        answer = client.embeddings.create(model="tiny-embed", input=["a", "b"], **options)
        assert [item.embedding for item in answer.data] == [[1.0, 2.0], [1.0, 2.0]]
    raw = client.embeddings.with_raw_response.create(model="tiny-embed", input="a", encoding_format="base64")
    assert base64.b64decode(raw.http_response.json()["data"][0]["embedding"]) == struct.pack("<2f", 1, 2)


def test_log_probabilities(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(**ASKED, logprobs=True, top_logprobs=2).choices[0].logprobs
    assert chat is not None
    assert chat.content is not None
    assert [(token.token, token.logprob) for token in chat.content] == [(piece, -0.5) for piece in PIECES]
    assert [(other.bytes, other.token, other.logprob) for other in chat.content[0].top_logprobs] == [
        ([0xF0], "\ufffd", -1.0), ([0xF0], "\ufffd", -2.0),
    ]  # fmt: skip
    streamed = list(client.completions.create(model="tiny-chat", prompt="Where?", logprobs=1, stream=True))
    told = [chunk.choices[0].logprobs for chunk in streamed[:-1]]
    assert [each.tokens for each in told if each] == [[piece] for piece in PIECES]
    assert [each.text_offset for each in told if each] == [[len("".join(PIECES[:at]))] for at in range(len(PIECES))]
    assert told[0] is not None
    assert told[0].top_logprobs == [{"bytes:\\xf0": -1.0}]


def test_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [model["id"] for model in MODELS]
    assert client.models.retrieve("tiny-chat").owned_by == "strongroom"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_an_answer_as_it_came(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**ASKED)
    assert raw.parse().id == raw.request_id == raw.headers["x-request-id"]
    assert (raw.status_code, raw.headers["content-length"]) == (200, str(len(raw.content)))
    assert raw.elapsed.total_seconds() > 0
    with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as streamed:
        *_, done, _ = streamed.iter_lines()
    assert done == "data: [DONE]"
    assert streamed.elapsed.total_seconds() > 0


async def test_asynchronous_calls(async_client: openai.AsyncOpenAI) -> None:
    whole = await async_client.chat.completions.create(**ASKED)
    stream = await async_client.chat.completions.create(**ASKED, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert whole.choices[0].message.content == "".join(pieces) == TEXT
    vectors = await async_client.embeddings.create(model="tiny-embed", input="a")
    assert vectors.data[0].embedding == [1.0, 2.0]
    assert [model.id async for model in async_client.models.list()] == [model["id"] for model in MODELS]
    raw = await async_client.chat.completions.with_raw_response.create(**ASKED)
    assert raw.elapsed.total_seconds() > 0


def test_the_proof_of_each_answer_is_kept_by_its_id(client: openai.OpenAI, proofs: dict[str, Proof]) -> None:
    whole = client.chat.completions.create(**ASKED)
    [first, *_] = list(client.chat.completions.create(**ASKED, stream=True))
    vectors = client.embeddings.create(model="tiny-embed", input="a")
    assert list(proofs) == [whole.id, first.id, vectors._request_id]
    assert all(proof.bundle() for proof in proofs.values())


def test_a_proof_that_cannot_be_kept_fails_the_answer(new_session: NewSession) -> None:
    def full(*_: object) -> None:
        raise OSError

    with _client(Transport(new_session(), keep_proof=full)) as client:
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**ASKED)
        with pytest.raises(openai.APIError, match="keep the answer's proof"):
            list(client.chat.completions.create(**ASKED, stream=True))


@pytest.mark.parametrize(
    ("code", "expected", "told"),
    [
        ("unknown-model", openai.NotFoundError, "model_not_found"),
        ("too-long", openai.BadRequestError, "context_length_exceeded"),
        ("wrong-task", openai.BadRequestError, "wrong-task"),
        ("busy", openai.InternalServerError, "busy"),
        ("internal", openai.InternalServerError, "internal"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_enclaves_refusals_are_the_packages_errors(
    client: openai.OpenAI,
    gateway: FakeGateway,
    code: FailureCode,
    expected: type[openai.APIStatusError],
    told: str,
    stream: bool,
) -> None:
    gateway.faults[PATH_SEALED] = _answering(gateway, [Failure(code, "Do this.")])
    with pytest.raises(expected) as caught:
        client.chat.completions.create(**ASKED, stream=stream)
    assert (caught.value.code, caught.value.body["message"]) == (told, "Do this.")  # type: ignore[index]  # an object
    assert ("retry-after" in caught.value.response.headers) == (code == "busy")


@pytest.mark.parametrize("stream", [False, True])
def test_an_enclave_that_does_not_satisfy_the_policy_gets_nothing(
    new_session: NewSession, gateway: FakeGateway, stream: bool
) -> None:
    policy = Measurements({**gateway.enclave.policy().pcrs, 0: b"\x55" * 48})
    client = _client(Transport(new_session(policy=policy)), max_retries=2)
    with client, pytest.raises(openai.PermissionDeniedError, match="nothing was sealed") as caught:
        client.chat.completions.create(**ASKED, stream=stream)
    assert caught.value.code == "attestation-refused"
    assert (gateway.count(PATH_EVIDENCE), gateway.count(PATH_SEALED)) == (1, 0)


def test_a_gateway_that_is_busy_is_asked_again_by_the_package(new_session: NewSession, gateway: FakeGateway) -> None:
    honest = gateway.sealed

    async def busy_once(request: Any) -> Any:
        gateway.faults[PATH_SEALED] = honest
        return problem(Problem.BUSY)

    gateway.faults[PATH_SEALED] = busy_once
    with _client(Transport(new_session()), max_retries=1) as client:
        assert client.chat.completions.create(**ASKED).choices[0].message.content == TEXT
    assert gateway.count(PATH_SEALED) == 2


def test_an_answer_cut_on_its_way_is_an_error_and_never_done(client: openai.OpenAI, gateway: FakeGateway) -> None:
    async def cut(request: Any) -> Any:
        answer = gateway.enclave.answer(gateway.messages[-1])
        return await gateway.send(request, type(answer)(answer.media_type, answer.head, answer.chunks[:-1]))

    gateway.faults[PATH_SEALED] = cut
    received: list[str | None] = []
    stream = client.chat.completions.create(**ASKED, stream=True)
    with pytest.raises(openai.APIError, match="last chunk"):
        received.extend(chunk.choices[0].finish_reason for chunk in stream)
    assert set(received) == {None}
    with pytest.raises(openai.InternalServerError, match="last chunk"):
        client.chat.completions.create(**ASKED)


def test_closing_a_stream_hangs_up(client: openai.OpenAI, gateway: FakeGateway, world: LoopThread) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    with client.chat.completions.create(**ASKED, stream=True) as stream:
        next(iter(stream))
    world.run(_soon(gateway.gone))


async def test_closing_an_asynchronous_stream_hangs_up(
    async_client: openai.AsyncOpenAI, gateway: FakeGateway, world: LoopThread
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    async with await async_client.chat.completions.create(**ASKED, stream=True) as stream:
        await anext(aiter(stream))
    await asyncio.to_thread(world.run, _soon(gateway.gone))


@pytest.mark.parametrize("timeout_s", [60, None])
def test_a_stream_can_be_closed_while_another_thread_reads_it(
    client: openai.OpenAI, gateway: FakeGateway, world: LoopThread, timeout_s: float | None
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    stream = client.with_options(timeout=timeout_s).chat.completions.create(**ASKED, stream=True)
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(list, stream)
        world.run(_soon(gateway.stalled))
        time.sleep(0.1)  # for what was sent before to be read
        stream.close()
        with pytest.raises(openai.APIConnectionError):
            reading.result(5)
    world.run(_soon(gateway.gone))


async def test_an_asynchronous_stream_can_be_closed_while_another_task_reads_it(
    async_client: openai.AsyncOpenAI, gateway: FakeGateway, world: LoopThread
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    stream = await async_client.chat.completions.create(**ASKED, stream=True)
    reading = asyncio.create_task(_listed(stream))
    await asyncio.to_thread(world.run, _soon(gateway.stalled))
    await asyncio.sleep(0.1)  # for what was sent before to be read
    await stream.close()
    with pytest.raises(openai.APIConnectionError):
        await reading
    await asyncio.to_thread(world.run, _soon(gateway.gone))


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_is_closed_meanwhile_fails_as_the_package_fails(
    new_session: NewSession, gateway: FakeGateway, world: LoopThread, stream: bool
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall if stream else gateway.stall
    client = _client(Transport(new_session()))
    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(lambda: list(client.chat.completions.create(**ASKED, stream=stream)))
        world.run(_soon(gateway.stalled))
        client.close()
        with pytest.raises(openai.APIError):
            asked.result(5)
    world.run(_soon(gateway.gone))


def test_a_stream_of_a_closed_client_fails_as_the_package_fails(client: openai.OpenAI, gateway: FakeGateway) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    stream = client.chat.completions.create(**ASKED, stream=True)
    next(stream)
    client.close()
    with pytest.raises(openai.APIConnectionError):
        list(stream)


def test_a_program_ends_though_it_closed_neither_client_nor_stream(
    gateway: FakeGateway, world: LoopThread, pki: SimulatedPKI, tmp_path: Path
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    policy, root = tmp_path / "policy.toml", tmp_path / "root.pem"
    policy.write_text(dump_measurements([gateway.enclave.policy()]))
    root.write_bytes(pki.root_pem())
    command = [sys.executable, "-c", PROGRAM, gateway.url, str(policy), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "assistant\n")
    assert "Unclosed" not in done.stderr
    world.run(_soon(gateway.gone))


@pytest.mark.parametrize("stream", [False, True])
def test_the_packages_own_timeout_counts(client: openai.OpenAI, gateway: FakeGateway, stream: bool) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall if stream else gateway.stall
    with pytest.raises(openai.APITimeoutError):
        list(client.chat.completions.create(**ASKED, stream=stream, timeout=0.3))


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://strongroom.invalid.example/v1"])
def test_every_other_host_is_refused_and_nothing_is_sent(
    new_session: NewSession, gateway: FakeGateway, url: str
) -> None:
    client = openai.OpenAI(base_url=url, api_key="none", http_client=httpx2.Client(transport=Transport(new_session())))
    with client, pytest.raises(openai.APIStatusError, match="nothing was sent") as caught:
        client.chat.completions.create(**ASKED)
    assert (caught.value.status_code, gateway.seen) == (421, [])


async def _listed(stream: openai.AsyncStream[Any]) -> list[Any]:
    return [each async for each in stream]


def _client(transport: Transport, max_retries: int = 0) -> openai.OpenAI:
    http_client = httpx2.Client(transport=transport)
    return openai.OpenAI(base_url=BASE_URL, api_key="none", max_retries=max_retries, http_client=http_client)


def _answering(gateway: FakeGateway, events: list[Event]) -> Any:
    async def handle(request: Any) -> Any:
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], events))

    return handle


async def _soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


def test_one_client_serves_one_loop_after_another(new_session: NewSession) -> None:
    """As in scripts and notebooks that call asyncio.run for each question."""
    http_client = httpx2.AsyncClient(transport=AsyncTransport(new_session()))
    client = openai.AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0, http_client=http_client)

    async def ask() -> str:
        return str((await client.chat.completions.create(**ASKED)).choices[0].message.content)

    assert [asyncio.run(ask()), asyncio.run(ask())] == [TEXT, TEXT]
    asyncio.run(client.close())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_merely_closed_costs_its_own_connections_alone(new_session: NewSession) -> None:
    """Its generators were not told of the end, as `asyncio.run` tells them."""
    session = new_session()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(session.attest())
    loop.close()
    assert asyncio.run(session.models())
    asyncio.run(session.close())
