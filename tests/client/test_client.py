"""The asynchronous client, end to end."""

import asyncio
import json
import pickle
from typing import Any

import pytest

from attestation.anchors import SimulatedTrustAnchor
from strongroom.client.aio import AsyncClient
from strongroom.client.errors import AnswerTruncated, ClientClosed, GatewayProblem, InvalidArgument, RequestRefused
from strongroom.protocol.constants import PATH_EVIDENCE, PATH_MODELS, PATH_SEALED
from strongroom.protocol.payloads import ChatTask, ClassifyTask, CompleteTask, DescribeTask, Message, Span, TagTask
from strongroom.protocol.tensors import Tensor
from tests.client.fake_enclave import DESCRIPTION, FAILURE, PIECES
from tests.client.fake_gateway import MODELS, FakeGateway, respond

TEXT = "".join(PIECES)
TENSOR = Tensor("int64", [2], bytes(16))


async def test_chat_whole(client: AsyncClient, gateway: FakeGateway) -> None:
    options: Any = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 3, "stop": ["no"]}
    answer = await client.chat("Where?", **options)
    assert (answer.text, answer.finish, answer.prompt_tokens, answer.completion_tokens) == (TEXT, "stop", 7, 6)
    head, request = gateway.enclave.opened[0]
    assert head.model == "tiny-chat"
    assert not request.stream
    assert request.task == ChatTask([Message("user", "Where?")], **options)
    assert answer.logprobs == ()


async def test_chat_stream_gives_the_pieces_then_the_answer(client: AsyncClient, gateway: FakeGateway) -> None:
    stream = client.chat([{"role": "system", "content": "s"}, Message("user", "u")], stream=True)
    with pytest.raises(AnswerTruncated):
        _ = stream.answer
    assert [piece async for piece in stream] == PIECES
    assert stream.answer.text == TEXT
    assert [piece async for piece in stream] == []
    _, request = gateway.enclave.opened[0]
    assert request.stream
    assert request.task == ChatTask([Message("system", "s"), Message("user", "u")])


@pytest.mark.parametrize("stream", [False, True])
async def test_complete_asks_a_chat_model_without_a_template(
    client: AsyncClient, gateway: FakeGateway, stream: bool
) -> None:
    if stream:
        answered = client.complete("Where", stream=True, max_tokens=9)
        assert [piece async for piece in answered] == PIECES
        answer = answered.answer
    else:
        answer = await client.complete("Where", max_tokens=9)
    assert answer.text == TEXT
    head, request = gateway.enclave.opened[0]
    assert (head.model, request.task) == ("tiny-chat", CompleteTask("Where", max_tokens=9))


@pytest.mark.parametrize("stream", [False, True])
async def test_log_probabilities_come_with_the_answer(client: AsyncClient, stream: bool) -> None:
    answered = client.chat("Where?", stream=True, logprobs=2)
    if stream:
        assert [piece async for piece in answered] == PIECES
        answer = answered.answer
    else:
        answer = await client.chat("Where?", logprobs=2)
    assert b"".join(each.token for each in answer.logprobs).decode() == TEXT
    assert {len(each.top) for each in answer.logprobs} == {2}
    assert TEXT not in repr(answer)


async def test_classify(client: AsyncClient, gateway: FakeGateway) -> None:
    assert await client.classify(["a", "b"]) == [{"good": 0.75, "bad": 0.25}] * 2
    head, request = gateway.enclave.opened[0]
    assert (head.model, request.task) == ("tiny-classify", ClassifyTask(["a", "b"]))


async def test_tag(client: AsyncClient, gateway: FakeGateway) -> None:
    assert await client.tag(["a", ""]) == [[Span(0, 1, "first", 0.5)], []]
    head, request = gateway.enclave.opened[0]
    assert (head.model, request.task) == ("tiny-tag", TagTask(["a", ""]))


async def test_embed(client: AsyncClient) -> None:
    vectors = await client.embed(["a", "b"])
    assert (vectors, vectors.prompt_tokens) == ([[1.0, 2.0], [1.0, 2.0]], 6)


async def test_infer(client: AsyncClient, gateway: FakeGateway) -> None:
    assert await client.infer("scores", {"x": TENSOR}) == {"x": TENSOR}
    assert gateway.enclave.opened[0][0].model == "scores"
    assert gateway.count(PATH_MODELS) == 0


async def test_describe(client: AsyncClient, gateway: FakeGateway) -> None:
    described = await client.describe("scores")
    assert (described.version, described.task) == ("1.2", "infer")
    assert (described.inputs, described.outputs) == (tuple(DESCRIPTION.inputs), tuple(DESCRIPTION.outputs))
    assert described.receipt
    head, request = gateway.enclave.opened[0]
    assert (head.model, request.task) == ("scores", DescribeTask())
    assert gateway.count(PATH_MODELS) == 0


async def test_status_names_the_simulated_anchor_and_what_it_does_not_prove(
    client: AsyncClient, gateway: FakeGateway, anchor: SimulatedTrustAnchor
) -> None:
    status = await client.status()
    assert status.anchor.sha256 == anchor.sha256
    assert status.anchor.simulated
    assert any("hardware" in limit for limit in status.does_not_prove)
    assert status.mode == "live"
    assert status.suite == "XWING"
    assert status.module_id == gateway.enclave.nsm.describe_nsm().module_id
    assert set(gateway.enclave.policy().pcrs) <= set(status.pcrs)
    assert status.pcrs[16] == gateway.enclave.nsm.describe_pcr(16).value.hex()
    assert status.timestamp_ms < status.valid_until_ms
    assert [model.id for model in status.models] == [model["id"] for model in MODELS]


async def test_answers_do_not_show_their_text_in_repr(client: AsyncClient) -> None:
    assert TEXT not in repr(await client.chat("Where?"))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_enclaves_own_refusal(client: AsyncClient, gateway: FakeGateway, stream: bool) -> None:
    gateway.faults[PATH_SEALED] = lambda request: gateway.send(
        request, gateway.enclave.answer(gateway.messages[-1], [FAILURE])
    )
    streamed = client.chat("Where?", stream=True)
    with pytest.raises(RequestRefused) as caught:
        await (anext(streamed) if stream else client.chat("Where?"))
    assert (caught.value.failure_code, caught.value.detail) == (FAILURE.code, FAILURE.detail)


async def test_a_refusal_and_an_answer_take_their_proofs_to_another_process(
    client: AsyncClient, gateway: FakeGateway
) -> None:
    answer = await client.chat("Where?")
    gateway.faults[PATH_SEALED] = lambda request: gateway.send(
        request, gateway.enclave.answer(gateway.messages[-1], [FAILURE])
    )
    with pytest.raises(RequestRefused) as caught:
        await client.chat("Where?")
    for proven in (answer, caught.value):
        again = pickle.loads(pickle.dumps(proven))
        assert (type(again), again.receipt) == (type(proven), proven.receipt)
        assert again.proof() == proven.proof() != proven.proof(show_request=False)
        assert again.proof(show_request=False, show_response=False) == proven.proof(
            show_request=False, show_response=False
        )


async def test_a_default_model_asks_for_no_list(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> None:
    policy = gateway.enclave.policy()
    async with AsyncClient(
        gateway.url, policy=policy, anchor=anchor, allow_simulated=True, default_model="mine"
    ) as client:
        await client.chat("Where?")
        await client.chat("Where?", model="other")
    assert [head.model for head, _ in gateway.enclave.opened] == ["mine", "other"]
    assert gateway.count(PATH_MODELS) == 0


@pytest.mark.parametrize(
    ("models", "listed"),
    [
        ([], "got none"),
        ([MODELS[1]], "got none"),
        ([{**MODELS[0], "id": "b"}, {**MODELS[0], "id": "a"}], "got a, b"),
    ],
)
async def test_none_or_several_models_of_the_task(
    client: AsyncClient, gateway: FakeGateway, models: list[dict[str, str]], listed: str
) -> None:
    gateway.faults[PATH_MODELS] = respond(body=json.dumps({"models": models}).encode(), media_type="application/json")
    with pytest.raises(InvalidArgument, match=listed):
        await client.chat("Where?")
    assert gateway.messages == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"models": [{"id": "../x", "version": "1", "task": "chat", "manifest_sha384": "' + b"ab" * 48 + b'"}]}',
        b'{"models": [], "more": 1}',
        b'{"x":' + b"[" * 60_000,
        b'{"models": [{"id": "\xff"}]}',
        b" " * 70_000,
    ],
)
async def test_a_list_of_models_that_is_none(client: AsyncClient, gateway: FakeGateway, body: bytes) -> None:
    gateway.faults[PATH_MODELS] = respond(body=body, media_type="application/json")
    with pytest.raises(GatewayProblem) as caught:
        await client.status()
    assert caught.value.problem is None


@pytest.mark.parametrize("model", ["", "UPPER", "a b", "x" * 65, "../x", "é"])
async def test_a_model_id_out_of_form_is_never_sent(client: AsyncClient, gateway: FakeGateway, model: str) -> None:
    with pytest.raises(InvalidArgument, match="model"):
        await client.chat("Where?", model=model)
    assert gateway.messages == []


async def test_a_request_above_the_limit_is_never_sent(client: AsyncClient, gateway: FakeGateway) -> None:
    big = Tensor("uint8", [17 << 20], bytes(17 << 20))
    with pytest.raises(InvalidArgument, match="at most"):
        await client.infer("m", {"x": big})
    assert gateway.messages == []


async def test_a_lone_surrogate_is_refused_without_its_text(client: AsyncClient, gateway: FakeGateway) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await client.chat("canary \ud800")
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert gateway.messages == []


@pytest.mark.parametrize("dropped", [False, True])
async def test_an_abandoned_stream_closes_its_connection(
    client: AsyncClient, gateway: FakeGateway, dropped: bool
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    stream = client.chat("Where?", stream=True)
    assert [await anext(stream), await anext(stream)] == PIECES[:2]
    if dropped:
        del stream
    else:
        await stream.aclose()
    await asyncio.wait_for(gateway.gone.wait(), 5)


async def test_leaving_a_stream_as_context_closes_its_connection(client: AsyncClient, gateway: FakeGateway) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    async with client.chat("Where?", stream=True) as stream:
        assert await anext(stream) == PIECES[0]
    await asyncio.wait_for(gateway.gone.wait(), 5)
    with pytest.raises(AnswerTruncated):
        _ = stream.answer


async def test_a_cancelled_call_closes_its_connection(client: AsyncClient, gateway: FakeGateway) -> None:
    gateway.faults[PATH_SEALED] = gateway.stall
    call = asyncio.create_task(client.chat("Where?"))
    await asyncio.wait_for(gateway.stalled.wait(), 5)
    call.cancel()
    await asyncio.wait_for(gateway.gone.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_closing_twice_at_once_is_no_error(client: AsyncClient) -> None:
    await client.chat("Where?")
    await asyncio.gather(client.close(), client.close())


async def test_a_closed_client_says_so(client: AsyncClient) -> None:
    await client.close()
    with pytest.raises(ClientClosed):
        await client.chat("Where?")


async def test_many_at_once_share_one_attestation(client: AsyncClient, gateway: FakeGateway) -> None:
    answers = await asyncio.gather(*(client.chat("Where?", model="m") for _ in range(20)))
    assert {answer.text for answer in answers} == {TEXT}
    ids = {head.request_id for head, _ in gateway.enclave.opened}
    secrets = {request.secret for _, request in gateway.enclave.opened}
    assert len(ids) == len(secrets) == 20
    assert gateway.count(PATH_EVIDENCE) == 1
