import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from strongroom.protocol.constants import (
    MEDIA_ATTESTATION,
    MEDIA_EVIDENCE,
    MEDIA_PROBLEM,
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
)
from strongroom.protocol.problems import Problem
from tests.parent.support import CANARY, REQUEST, appliance, echo, gateway_to, request_to


async def test_metrics_count_and_name_no_request(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        await gateway.seal(request_to(body=CANARY.encode()))
        await gateway.get(f"/v1/{CANARY}")
        await gateway.get("/v1/attestation?nonce=" + "5e" * 32)
        await gateway.request("POST", "/v1/sealed", data=b"x")
        exposition = (await gateway.get("/metrics")).body.decode()
    assert 'requests_total{route="/v1/sealed",status="200"} 1.0' in exposition
    assert 'requests_total{route="/v1/sealed",status="415"} 1.0' in exposition
    assert 'requests_total{route="other",status="404"} 1.0' in exposition
    assert f"strongroom_gateway_received_bytes_total {float(len(REQUEST + CANARY.encode()))}" in exposition
    assert "strongroom_gateway_in_flight 1.0" in exposition
    assert CANARY not in exposition
    assert "5e5e" not in exposition


async def test_metrics_labels_come_from_fixed_sets(tmp_path: Path) -> None:
    async with gateway_to(tmp_path) as gateway:
        for number in range(20):
            await gateway.get(f"/{number}")
        exposition = (await gateway.get("/metrics")).body.decode()
    labels = set(re.findall(r'route="([^"]*)"', exposition))
    assert labels == {"other"}


async def test_the_description_names_real_media_types_and_problems(tmp_path: Path) -> None:
    async with gateway_to(tmp_path) as gateway:
        description: dict[str, Any] = json.loads((await gateway.get("/openapi.json")).body)
    paths = description["paths"]
    sealed = paths["/v1/sealed"]["post"]
    assert list(sealed["requestBody"]["content"]) == [MEDIA_SEALED_REQUEST]
    assert set(sealed["responses"]["200"]["content"]) == {MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM}
    assert list(paths["/v1/attestation"]["get"]["responses"]["200"]["content"]) == [MEDIA_ATTESTATION]
    evidence, evidence_of = paths["/v1/evidence"]["get"], paths["/v1/evidence/{digest}"]["get"]
    for operation, parameter in (
        (paths["/v1/attestation"]["get"], "nonce"),
        (evidence, "nonce"),
        (evidence_of, "digest"),
    ):
        assert [each["name"] for each in operation["parameters"]] == [parameter]
    for operation in (evidence, evidence_of):
        assert list(operation["responses"]["200"]["content"]) == [MEDIA_EVIDENCE]
    assert ("404" in evidence["responses"], "404" in evidence_of["responses"]) == (False, True)
    assert {path for path in paths if path.startswith("/v1/")} == {
        "/v1/attestation",
        "/v1/evidence",
        "/v1/evidence/{digest}",
        "/v1/models",
        "/v1/sealed",
    }
    documented = {
        example["value"]["type"]
        for response in sealed["responses"].values()
        for example in response["content"].get(MEDIA_PROBLEM, {}).get("examples", {}).values()
    }
    undocumented = {Problem.NOT_FOUND, Problem.METHOD_NOT_ALLOWED}
    assert documented == {problem.type for problem in Problem if problem not in undocumented}
    assert "HTTPValidationError" not in json.dumps(description)


async def test_the_page_needs_no_script_and_no_other_host(tmp_path: Path) -> None:
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "img", "style", "iframe")
            links.extend(value or "" for name, value in attrs if name in ("href", "src"))

    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.get("/docs")
    assert reply.headers["Content-Type"].startswith("text/html")
    page = reply.body.decode()
    Links().feed(page)
    assert links == ["/openapi.json"]
    for path in ("/v1/attestation", "/v1/evidence", "/v1/models", "/v1/sealed", "/livez", "/readyz", "/metrics"):
        assert path in page
