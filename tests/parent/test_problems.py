from pathlib import Path

import pytest

from parent.headers import SECURITY_HEADERS
from strongroom.protocol.problems import Problem
from tests.parent.support import (
    CANARY,
    KEY,
    REQUEST,
    SEALED,
    Exchange,
    appliance,
    evidence_of,
    fixed,
    gateway_to,
    request_to,
)


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", f"/{CANARY}", {}, Problem.NOT_FOUND),
        ("GET", f"/v1/sealed/{CANARY}", {}, Problem.NOT_FOUND),
        ("GET", f"/v1/evidence/?{CANARY}", {}, Problem.NOT_FOUND),
        ("GET", f"/v1/models/%2e%2e%2f{CANARY}", {}, Problem.NOT_FOUND),
        ("GET", f"//{CANARY}/x", {}, Problem.NOT_FOUND),
        ("DELETE", f"/v1/evidence?{CANARY}", {"X": CANARY}, Problem.METHOD_NOT_ALLOWED),
        ("GET", f"/v1/evidence/{CANARY}", {}, Problem.INVALID_REQUEST),
        ("GET", f"/v1/evidence/{'0F' * 48}", {}, Problem.INVALID_REQUEST),
        ("OPTIONS", "/v1/sealed", {"Origin": f"https://{CANARY}"}, Problem.METHOD_NOT_ALLOWED),
        ("GET", f"/v1/attestation?nonce={CANARY}", {}, Problem.INVALID_REQUEST),
        ("GET", f"/v1/attestation?{CANARY}=1", {}, Problem.INVALID_REQUEST),
        ("POST", f"/v1/sealed?{CANARY}", {"Content-Type": CANARY}, Problem.UNSUPPORTED_MEDIA_TYPE),
        ("POST", "/v1/sealed", SEALED | {"Content-Encoding": CANARY}, Problem.UNSUPPORTED_MEDIA_TYPE),
        ("POST", f"/v1/sealed?{CANARY}", SEALED, Problem.ENCLAVE_UNREACHABLE),
        ("GET", f"/v1/evidence?{CANARY}", {}, Problem.INVALID_REQUEST),
        ("GET", f"/v1/models?{CANARY}", {"Cookie": CANARY, "Range": "bytes=0-1"}, Problem.ENCLAVE_UNREACHABLE),
    ],
)
async def test_no_error_echoes_its_request(
    tmp_path: Path,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: Problem,
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway_to(tmp_path) as gateway:
        body = request_to(body=CANARY.encode()) if method == "POST" else None
        reply = await gateway.request(method, path, headers=headers, data=body, allow_redirects=False)
        assert reply.problem is expected
        assert CANARY not in str(reply.headers)
    assert CANARY not in "".join(capfd.readouterr())


async def test_405_names_the_methods_that_are_allowed(tmp_path: Path) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.request("PUT", "/v1/evidence")
        assert reply.headers["Allow"] == "GET"


async def test_an_unforeseen_error_is_internal_and_logs_its_place_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with gateway_to(tmp_path) as gateway:

        @gateway.app.get("/faulty")
        async def faulty() -> None:
            raise ValueError(CANARY)

        assert (await gateway.get("/faulty")).problem is Problem.INTERNAL
    log = "".join(capfd.readouterr())
    assert '"event":"internal-error","type":"ValueError","place":"faulty:' in log
    assert CANARY not in log


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/evidence", "/nowhere"]
)
async def test_every_response_bears_the_security_headers_and_no_banner(tmp_path: Path, path: str) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.get(path)
        for name, value in SECURITY_HEADERS:
            assert {key.lower(): text for key, text in reply.headers.items()}[name.decode()] == value.decode()
        assert "Server" not in reply.headers


async def test_headers_of_the_enclave_do_not_pass(tmp_path: Path) -> None:
    async def handler(exchange: Exchange) -> None:
        headers = [(b"content-type", b"application/vnd.strongroom.evidence"), (b"set-cookie", CANARY.encode())]
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await exchange.chunk(evidence_of(KEY), more=False)

    async with appliance(tmp_path, {"GET /v1/evidence": handler}) as gateway:
        reply = await gateway.get("/v1/evidence")
        assert reply.body == evidence_of(KEY)
        assert CANARY not in str(reply.headers)


async def test_headers_of_the_client_do_not_pass(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        seen.extend(name for name, _ in exchange.scope["headers"])
        await fixed(200, "application/vnd.strongroom.sealed-response", b"")(exchange)

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        headers = SEALED | {"X-Secret": CANARY, "Cookie": "a=b"}
        assert (await gateway.request("POST", "/v1/sealed", data=REQUEST, headers=headers)).status == 200
    assert sorted(seen) == [b"content-length", b"content-type", b"host"]
