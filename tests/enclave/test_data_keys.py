"""Data keys of requests: one call of KMS for each, kept within three bounds, nothing served that it did not judge."""

import asyncio
import gc
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable
from enclave.kms.data_keys import RETRY_MS, DataKeyRefused, DataKeys, data_key_name
from strongroom.protocol.configuration import KeyEntry, Limits, Windows
from tests.enclave.deployment import ARN
from tests.enclave.kms_world import DATA_KEY, NOW_MS, World, answer_with, honest

ENTRY = KeyEntry("requests", "request", "demo", ARN)
CONTEXT = ENTRY.fixed_context
OTHER_ARN = ARN.replace("1234abcd", "ffffffff")


class FakeKMS:
    """Counts what is asked, answers with the wrapped bytes, or fails as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.error: Exception | None = None
        self.answering = threading.Event()
        self.answering.set()

    def unwrap(self, entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        self.asked.append((entry.arn, context, wrapped))
        self.answering.wait(5)
        if self.error is not None:
            raise self.error
        return wrapped.ljust(32, b"=")


@pytest.fixture
def kms() -> FakeKMS:
    return FakeKMS()


def keys_of(kms: FakeKMS, *, number: int = 8, uses: int = 1000, ttl_s: int = 10) -> DataKeys:
    limits = Limits(data_keys=number, data_key_uses=uses, max_in_flight=64)
    return DataKeys(kms.unwrap, limits, Windows(data_key_ttl_s=ttl_s))


async def get(
    keys: DataKeys, wrapped: bytes = b"a", at_ms: int = NOW_MS, context: Mapping[str, str] = CONTEXT
) -> bytes:
    return await keys.get(ENTRY, context, wrapped, at_ms)


async def test_after_the_first_use_kms_is_not_asked(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    for _ in range(100):
        assert await get(keys) == b"a".ljust(32, b"=")
    assert kms.asked == [(ARN, CONTEXT, b"a")]


async def test_another_context_arn_or_blob_is_judged_by_kms_however_warm_the_cache(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    await get(keys)
    kms.error = KMSRefused("kms-error", "refused")
    for context in (CONTEXT | {"tenant": "other"}, CONTEXT | {"x": ""}, {"purpose": "request"}, {}):
        with pytest.raises(DataKeyRefused):
            await get(keys, context=context)
    with pytest.raises(DataKeyRefused):
        await get(keys, b"b")
    with pytest.raises(DataKeyRefused):
        await keys.get(KeyEntry("other", "request", "demo", OTHER_ARN), CONTEXT, b"a", NOW_MS)
    assert len(kms.asked) == 7
    assert await get(keys) == b"a".ljust(32, b"=")


async def test_a_key_for_models_is_never_had_here(kms: FakeKMS) -> None:
    with pytest.raises(DataKeyRefused, match="purpose"):
        await keys_of(kms).get(KeyEntry("models", "model", "demo", ARN), CONTEXT, b"a", NOW_MS)
    assert kms.asked == []


def test_no_two_keys_share_a_name() -> None:
    """The same characters, cut elsewhere."""
    parts: list[tuple[str, dict[str, str], bytes]] = [
        ("abc", {}, b"d"),
        ("ab", {}, b"cd"),
        ("ab", {"c": "d"}, b""),
        ("ab", {"c": ""}, b"d"),
        ("ab", {"": "c"}, b"d"),
        ("a", {"b": "c"}, b"d"),
        ("", {"a": "b", "c": "d"}, b""),
        ("", {"a": "bcd"}, b""),
        ("", {"abc": "d"}, b""),
        ("", {}, b"abcd"),
        ("abcd", {}, b""),
    ]
    assert len({data_key_name(*each) for each in parts}) == len(parts)


def test_the_order_of_a_context_does_not_matter() -> None:
    assert data_key_name(ARN, {"a": "1", "b": "2"}, b"w") == data_key_name(ARN, {"b": "2", "a": "1"}, b"w")


async def test_its_time_ends(kms: FakeKMS) -> None:
    keys = keys_of(kms, ttl_s=10)
    await get(keys)
    await get(keys, at_ms=NOW_MS + 9_999)
    assert len(kms.asked) == 1
    await get(keys, at_ms=NOW_MS + 10_000)
    assert len(kms.asked) == 2
    await get(keys, at_ms=NOW_MS + 19_999)
    assert len(kms.asked) == 2


async def test_using_it_does_not_prolong_it(kms: FakeKMS) -> None:
    keys = keys_of(kms, ttl_s=10)
    for second in range(11):
        await get(keys, at_ms=NOW_MS + second * 1000)
    assert len(kms.asked) == 2


async def test_its_uses_end(kms: FakeKMS) -> None:
    keys = keys_of(kms, uses=3)
    for _ in range(7):
        await get(keys)
    assert len(kms.asked) == 3


async def test_callers_that_wait_together_count_one_use_each(kms: FakeKMS) -> None:
    keys = keys_of(kms, uses=3)
    await asyncio.gather(*(get(keys) for _ in range(7)))
    assert len(kms.asked) == 3


async def test_the_least_recently_used_one_leaves(kms: FakeKMS) -> None:
    keys = keys_of(kms, number=2)
    for wrapped in (b"a", b"b", b"a", b"c", b"a", b"b"):
        await get(keys, wrapped)
    assert [wrapped for _, _, wrapped in kms.asked] == [b"a", b"b", b"c", b"b"]


async def test_what_is_over_does_not_stay_in_memory(kms: FakeKMS) -> None:
    keys = keys_of(kms, ttl_s=10)
    for number in range(5):
        await get(keys, bytes([number]))
    await get(keys, b"later", NOW_MS + 10_000)
    assert list(keys._kept._keys) == [data_key_name(ARN, CONTEXT, b"later")]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4000)), max_size=60))
async def test_no_bound_is_ever_passed(steps: list[tuple[int, int]]) -> None:
    kms, at_ms = FakeKMS(), NOW_MS
    keys = keys_of(kms, number=3, uses=4, ttl_s=10)
    had: dict[int, tuple[int, int]] = {}
    for number, later_ms in steps:
        at_ms += later_ms
        calls = len(kms.asked)
        await get(keys, bytes([number]), at_ms)
        if len(kms.asked) > calls:
            had[number] = (at_ms, 0)
        since_ms, uses = had[number]
        had[number] = (since_ms, uses + 1)
        assert at_ms - since_ms < 10_000
        assert uses < 4
        assert len(keys._kept._keys) <= 3
    keys.close()


async def test_many_callers_of_one_key_are_one_call(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    kms.answering.clear()
    waiting = [asyncio.create_task(get(keys)) for _ in range(20)]
    other = asyncio.create_task(get(keys, b"b"))
    await asyncio.sleep(0.05)
    assert len(kms.asked) == 2
    kms.answering.set()
    assert set(await asyncio.gather(*waiting)) == {b"a".ljust(32, b"=")}
    assert await other == b"b".ljust(32, b"=")
    assert len(kms.asked) == 2


async def test_a_caller_that_leaves_takes_nothing_from_the_others(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    kms.answering.clear()
    leaving, staying = asyncio.create_task(get(keys)), asyncio.create_task(get(keys))
    await asyncio.sleep(0.02)
    leaving.cancel()
    kms.answering.set()
    assert await staying == b"a".ljust(32, b"=")
    assert leaving.cancelled() or leaving.done()
    assert len(kms.asked) == 1


async def test_a_failure_is_told_to_everyone_who_waits_and_for_a_second_to_everyone_who_comes(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    kms.error = KMSUnreachable("down")
    results = await asyncio.gather(*(get(keys) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [KMSUnreachable] * 5
    for later_ms in (0, 500, RETRY_MS - 1):
        with pytest.raises(KMSUnreachable):
            await get(keys, at_ms=NOW_MS + later_ms)
    assert len(kms.asked) == 1
    kms.error = None
    assert await get(keys, b"b", NOW_MS + 1)
    assert await get(keys, at_ms=NOW_MS + RETRY_MS)
    assert len(kms.asked) == 3


async def test_under_a_storm_of_callers_kms_is_tried_once_a_second(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    kms.error = KMSUnreachable("down")
    for at_ms in range(NOW_MS, NOW_MS + 5_000, 50):
        with pytest.raises(KMSUnreachable):
            await get(keys, at_ms=at_ms)
    assert len(kms.asked) == 5


async def test_failures_are_bounded_and_never_forgotten_early(kms: FakeKMS) -> None:
    """A flood of garbage must not push a failure out, nor grow without end: there is a bound for all keys together."""
    keys = keys_of(kms, number=8)
    kms.error = KMSRefused("kms-error", "garbage")
    errors: list[type[BaseException]] = []
    for number in range(40):
        with pytest.raises(EnclaveError) as caught:
            await get(keys, bytes([number]))
        errors.append(caught.type)
    assert errors == [DataKeyRefused] * 8 + [KMSUnreachable] * 32
    assert len(kms.asked) == len(keys._failures._failed) == 8
    with pytest.raises(DataKeyRefused):
        await get(keys, b"\0", NOW_MS + RETRY_MS - 1)
    kms.error = None
    assert await get(keys, b"\0", NOW_MS + RETRY_MS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KMSRefused("kms-wrong-key", "x"), DataKeyRefused),
        (KMSUnreachable("x"), KMSUnreachable),
        (RuntimeError("x"), RuntimeError),
    ],
)
async def test_no_answer_of_kms_to_a_request_ends_the_enclave(
    kms: FakeKMS, error: Exception, kind: type[Exception]
) -> None:
    keys = keys_of(kms)
    kms.error = error
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await get(keys)
        assert not isinstance(caught.value, KMSRefused)
    assert len(kms.asked) == 1
    assert getattr(caught.value, "code", None) == getattr(error, "code", None)


async def test_a_failure_nobody_waits_for_any_more_is_no_noise(kms: FakeKMS, caplog: pytest.LogCaptureFixture) -> None:
    keys = keys_of(kms)
    kms.error = KMSUnreachable("down")
    kms.answering.clear()
    caller = asyncio.create_task(get(keys))
    await asyncio.sleep(0.02)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    kms.answering.set()
    await asyncio.wait(list(keys._flights.values()))
    assert not keys._flights
    gc.collect()
    assert not caplog.records


async def test_a_key_in_use_is_not_lost_where_there_is_room_for_one(kms: FakeKMS) -> None:
    keys = keys_of(kms, number=1)
    wrapped = [bytes([number]) for number in range(6)]
    assert await asyncio.gather(*(get(keys, each) for each in wrapped)) == [each.ljust(32, b"=") for each in wrapped]
    assert len(keys._kept._keys) == 1


async def test_what_is_kept_does_not_show_when_it_is_printed(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    data_key = await get(keys)
    assert repr(data_key) not in repr(keys._kept._keys)


async def test_closed_it_holds_nothing(kms: FakeKMS) -> None:
    keys = keys_of(kms)
    await get(keys)
    keys.close()
    assert not keys._kept._keys


async def test_while_kms_is_down_what_is_kept_is_served_until_its_time_is_over(tmp_path: Path) -> None:
    """With the enclave's own client: TTL 10 s, KMS gone after the first use."""
    world = World(tmp_path)
    client = world.client(attempt_s=0.3)
    keys = DataKeys(client.unwrap, Limits(), Windows(data_key_ttl_s=10))
    with world.lies(honest) as host:
        assert await get(keys) == DATA_KEY
        assert host.operations == ["Decrypt"]
    for later_ms in (1, 5_000, 9_999):
        assert await get(keys, at_ms=NOW_MS + later_ms) == DATA_KEY
        with pytest.raises(KMSUnreachable):
            await get(keys, b"another", NOW_MS + later_ms)
    with pytest.raises(KMSUnreachable):
        await get(keys, at_ms=NOW_MS + 10_000)
    with world.lies(lambda operation, members: (200, answer_with(KeyId=OTHER_ARN))):
        with pytest.raises(DataKeyRefused) as caught:
            await get(keys, at_ms=NOW_MS + 11_000)
        assert caught.value.code == "kms-wrong-key"
    with world.lies(honest):
        assert await get(keys, at_ms=NOW_MS + 12_000) == DATA_KEY
    keys.close()
