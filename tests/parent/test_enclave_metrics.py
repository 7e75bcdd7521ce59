"""The enclaves' own metrics: republished by enclave and model, without sums; what has another form is dropped whole."""

from pathlib import Path

import cbor2
import pytest

from parent.enclave_metrics import EnclaveMetrics, families
from parent.link import EnclaveLink
from strongroom.protocol.constants import MEDIA_METRICS
from strongroom.protocol.metrics import BOUNDS, MAX_METRICS_BYTES, Metrics, ModelMetrics
from strongroom.protocol.problems import Problem
from strongroom.transport.addresses import UnixAddress
from tests.parent.support import FakeEnclave, Handler, appliance, enclave_at, fixed, refusing

QUEUE = [3, 0, 4, 0, 0, 0, 0, 0, 13]
PUBLISHED = Metrics([ModelMetrics("m", {"answers": [18, 1, 1], "queue_seconds": QUEUE})])


def says(counts: object, **more: object) -> bytes:
    """Canonical CBOR of one model with these counts."""
    return cbor2.dumps({"models": [{"model": "m", "counts": counts, **more}]}, canonical=True)


async def latest(folder: Path, handler: Handler) -> Metrics | None:
    """What is kept of that answer, after a good one."""
    enclave = FakeEnclave({"GET /v1/metrics": fixed(200, MEDIA_METRICS, PUBLISHED.to_bytes())})
    async with (
        enclave_at(folder / "api", enclave),
        EnclaveLink(UnixAddress(folder / "api"), timeout_s=5, max_exchanges=1) as link,
    ):
        metrics = EnclaveMetrics(link)
        await metrics.fetch()
        assert metrics.latest == PUBLISHED
        enclave.handlers["GET /v1/metrics"] = handler
        await metrics.fetch()
    return metrics.latest


async def test_what_an_enclave_publishes_is_republished_under_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parent.enclave_metrics._INTERVAL_S", 0.01)
    handlers = {"GET /v1/metrics": fixed(200, MEDIA_METRICS, PUBLISHED.to_bytes())}
    exposition = ""
    async with appliance(tmp_path, handlers) as gateway:
        while "strongroom_enclave_answers_total{" not in exposition:
            exposition = (await gateway.get("/metrics")).body.decode()
    for line in (
        'strongroom_enclave_answers_total{enclave="1",model="m",outcome="complete"} 18.0',
        'strongroom_enclave_answers_total{enclave="1",model="m",outcome="cancelled"} 1.0',
        'strongroom_enclave_queue_seconds_bucket{enclave="1",le="0.001",model="m"} 3.0',
        'strongroom_enclave_queue_seconds_bucket{enclave="1",le="0.1",model="m"} 7.0',
        'strongroom_enclave_queue_seconds_bucket{enclave="1",le="+Inf",model="m"} 20.0',
    ):
        assert line in exposition.splitlines()


def test_there_is_no_sum_which_would_tell_the_size_of_single_requests() -> None:
    names = {sample.name for family in families({"1": PUBLISHED}) for sample in family.samples}
    assert names == {"strongroom_enclave_answers_total", "strongroom_enclave_queue_seconds_bucket"}


def test_of_several_enclaves_each_is_labelled() -> None:
    samples = [sample for family in families({"1": PUBLISHED, "2": PUBLISHED}) for sample in family.samples]
    assert {sample.labels["enclave"] for sample in samples} == {"1", "2"}
    keys = [(sample.name, *sorted(sample.labels.items())) for sample in samples]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        says({"tokens_total": [1, 2, 3]}),
        says({"queue_seconds": QUEUE[1:]}),
        says({"queue_seconds": [*QUEUE, 0]}),
        says({"answers": [1, 2, -3]}),
        says({"answers": [1, 2, 1 << 53]}),
        says({"answers": [1, 2, 0.5]}),
        says({"answers": [1, 2, "3"]}),
        says({"answers": [1, 2, 3]}, sum=5),
        says({"answers": [1, 2, 3]}, model='m"} 1\nevil{x="'),
        says({"answers": [1, 2, 3]}, model="m\n"),
        says({"answers": [1, 2, 3]}) + b"\x00",
        cbor2.dumps({"models": [{"model": "m", "counts": {}}] * 2}, canonical=True),
        cbor2.dumps({"models": [{"model": f"m{number}", "counts": {}} for number in range(65)]}, canonical=True),
        PUBLISHED.to_bytes().ljust(MAX_METRICS_BYTES + 1, b"\x00"),
    ],
    ids=lambda body: f"{len(body)}-bytes",
)
async def test_what_has_another_form_is_dropped_whole(tmp_path: Path, body: bytes) -> None:
    assert await latest(tmp_path, fixed(200, MEDIA_METRICS, body)) is None


@pytest.mark.parametrize("handler", [refusing(Problem.REJECTED), fixed(200, "text/plain", PUBLISHED.to_bytes())])
async def test_an_enclave_that_does_not_say_has_no_series(tmp_path: Path, handler: Handler) -> None:
    assert await latest(tmp_path, handler) is None


def test_the_buckets_ascend_and_fit_the_page_of_64_models() -> None:
    assert all(list(bounds) == sorted(set(bounds)) for bounds in BOUNDS.values())
    counts = {series: [1 << 52] * len(numbers) for series, numbers in PUBLISHED.models[0].counts.items()}
    counts |= {span: [1 << 52] * (len(bounds) + 1) for span, bounds in BOUNDS.items()}
    page = Metrics([ModelMetrics(f"{number}".ljust(64, "m"), counts) for number in range(64)])
    assert len(page.to_bytes()) <= MAX_METRICS_BYTES
    assert Metrics.from_bytes(page.to_bytes()) == page
