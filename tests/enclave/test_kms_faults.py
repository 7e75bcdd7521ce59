"""KMS that is down, slow, someone else: a typed error in bounded time, and no byte of a request for a wrong peer."""

import base64
import io
import json
import socket
import ssl
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable
from enclave.kms.https import MAX_ANSWER_BYTES, RETRY_S
from enclave.kms.tls import AMAZON_ROOTS
from tests.enclave.certificates import BAD, CA, LEAF, Issued, issue, write
from tests.enclave.kms_world import CONTEXT, DATA_KEY, ENTRY, World, answer_with, honest
from tests.enclave.lying_kms import (
    Host,
    Talk,
    answering,
    http_answer,
    keep_everything,
    read_request,
    saying,
    serve,
    server_context,
)

ATTEMPT_S = 0.3
BOUND_S = 3 * ATTEMPT_S + 3.0
"""Three attempts, botocore's waits between them (at most 50 and 100 ms), and room for a busy machine."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="module")
def ca() -> Issued:
    return issue(CA)


def test_a_sound_certificate_of_the_trusted_ca_is_taken(world: World, ca: Issued, tmp_path: Path) -> None:
    world.ca_pem = ca.pem().decode()
    context = server_context(write(tmp_path, issue(LEAF, ca).with_key()))
    with world.host(answering(honest), context):
        assert world.unwrap() == DATA_KEY


@pytest.mark.parametrize("defect", BAD)
def test_a_peer_under_a_bad_certificate_gets_no_byte_and_no_second_try(
    world: World, ca: Issued, tmp_path: Path, defect: str
) -> None:
    world.ca_pem = ca.pem().decode()
    context = server_context(write(tmp_path, BAD[defect](ca)))
    with world.host(keep_everything, context) as host, pytest.raises(KMSUnreachable, match="TLS"):
        world.unwrap()
    assert host.received == b""
    assert len(host.destinations) == 1


def test_a_forged_answer_sealed_to_the_right_key_is_never_read(world: World) -> None:
    """The envelope has no authentication: who ends TLS could choose the data key. Nobody else can end it."""
    world.ca_pem = AMAZON_ROOTS.read_text()
    with world.lies(lambda operation, members: (200, answer_with())) as host, pytest.raises(KMSUnreachable):
        world.unwrap()
    assert host.received == b""
    assert host.operations == []


def old_tls(world: World) -> ssl.SSLContext:
    context = server_context(world.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_tls_1_1_is_refused(world: World) -> None:
    with world.host(keep_everything, old_tls(world)) as host, pytest.raises(KMSUnreachable, match="TLS"):
        world.unwrap()
    assert host.received == b""


def test_positive_control_the_old_server_takes_an_old_client(world: World) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = ssl.TLSVersion.TLSv1
    with world.host(keep_everything, old_tls(world)), socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(world.socket))
        plain.sendall(b"CONNECT x:443\n")
        assert plain.recv(3) == b"OK\n"
        with client.wrap_socket(plain) as secured:
            assert secured.version() == "TLSv1.1"


def redirecting(status: int) -> bytes:
    return http_answer(b"{}", status, "Location: https://kms.eu-west-1.amazonaws.com/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(world: World, status: int) -> None:
    with world.host(saying(redirecting(status))) as host, pytest.raises(KMSRefused):
        world.unwrap()
    assert host.operations == ["Decrypt"]
    assert host.destinations == ["CONNECT kms.us-east-1.amazonaws.com:443"]


def dripping(connection: socket.socket, host: Host) -> None:
    read_request(connection, host)
    for byte in http_answer(json.dumps(answer_with()).encode()):
        connection.sendall(bytes([byte]))
        if host.over.wait(ATTEMPT_S / 10):
            return


def dripping_fields(connection: socket.socket, host: Host) -> None:
    read_request(connection, host)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not host.over.wait(ATTEMPT_S / 10):
        connection.sendall(b"X: y\r\n")


def for_ever_about_to_continue(connection: socket.socket, host: Host) -> None:
    read_request(connection, host)
    while not host.over.wait(ATTEMPT_S / 10):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def hanging_up(connection: socket.socket, host: Host) -> None:
    read_request(connection, host)


def cut_short(connection: socket.socket, host: Host) -> None:
    read_request(connection, host)
    connection.sendall(http_answer(json.dumps(answer_with()).encode())[:-1])


def cut_short_within_tls(connection: socket.socket, host: Host) -> None:
    cut_short(connection, host)
    assert isinstance(connection, ssl.SSLSocket)
    connection.unwrap()


def without_length(connection: socket.socket, host: Host) -> None:
    """Ended by the end of TCP, not of TLS: whoever cuts the connection would end the answer."""
    read_request(connection, host)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(answer_with()).encode())
    socket.socket.shutdown(connection, socket.SHUT_WR)


SLOW: dict[str, Talk] = {
    "silent": keep_everything,
    "dripping": dripping,
    "dripping fields": dripping_fields,
    "for ever about to continue": for_ever_about_to_continue,
    "hanging up": hanging_up,
    "cut short": cut_short,
    "cut short within TLS": cut_short_within_tls,
    "ended by the host": without_length,
    "no HTTP": saying(b"\0" * 100),
    "HTTP/0.9": saying(b"hello\r\n\r\n"),
}


def test_a_kms_that_gives_no_answer_is_tried_once_a_second_whoever_asks(world: World) -> None:
    tried: list[float] = []

    def talk(connection: socket.socket, host: Host) -> None:
        read_request(connection, host)
        tried.append(time.monotonic())

    client = world.client(ATTEMPT_S, RETRY_S)
    with world.host(talk):
        for _ in range(20):
            with pytest.raises(KMSUnreachable):
                client.unwrap(ENTRY, CONTEXT, b"wrapped")
        assert len(tried) == 3
        time.sleep(RETRY_S)
        with pytest.raises(KMSUnreachable):
            client.unwrap(ENTRY, CONTEXT, b"wrapped")
    assert len(tried) == 6
    assert min(later - earlier for earlier, later in pairwise(tried)) >= RETRY_S


def test_calls_that_are_throttled_together_are_tried_again_one_after_the_other(world: World) -> None:
    tried: list[float] = []

    def throttle(operation: str, members: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        tried.append(time.monotonic())
        return 400, {"__type": "ThrottlingException"}

    client, calls, retry_s = world.client(retry_s=0.1), 3, 0.1
    with world.lies(throttle), ThreadPoolExecutor(calls) as threads:
        asked = [threads.submit(client.unwrap, ENTRY, CONTEXT, b"wrapped") for _ in range(calls)]
        assert all(isinstance(call.exception(), KMSUnreachable) for call in asked)
    again = sorted(tried)[calls:]
    assert len(again) == 2 * calls
    assert min(later - earlier for earlier, later in pairwise(again)) >= 0.8 * retry_s


def test_a_wrong_peer_is_met_once_a_second(world: World) -> None:
    world.ca_pem = AMAZON_ROOTS.read_text()
    client = world.client(ATTEMPT_S, RETRY_S)
    with world.lies(honest) as host:
        for _ in range(5):
            with pytest.raises(KMSUnreachable):
                client.unwrap(ENTRY, CONTEXT, b"wrapped")
        assert len(host.destinations) == 1
        time.sleep(RETRY_S)
        with pytest.raises(KMSUnreachable):
            client.unwrap(ENTRY, CONTEXT, b"wrapped")
    assert len(host.destinations) == 2


@pytest.mark.parametrize("fault", SLOW)
def test_a_kms_that_gives_no_whole_answer_is_unreachable_in_bounded_time(world: World, fault: str) -> None:
    started = time.monotonic()
    with world.host(SLOW[fault]) as host:
        with pytest.raises(KMSUnreachable):
            world.unwrap(ATTEMPT_S)
        assert time.monotonic() - started < BOUND_S
    assert len(host.destinations) == 3


def plain_drip(connection: socket.socket, host: Host) -> None:
    """A TLS record that never ends, in place of a handshake."""
    for byte in b"\x16\x03\x03\x40\x00" + bytes(200):
        connection.sendall(bytes([byte]))
        if host.over.wait(ATTEMPT_S / 10):
            return


@pytest.mark.parametrize("talk", [keep_everything, plain_drip])
def test_a_handshake_that_never_ends_is_unreachable_in_bounded_time(world: World, talk: Talk) -> None:
    started = time.monotonic()
    client = world.client(ATTEMPT_S)
    with serve(world.socket, talk, None) as host:
        with pytest.raises(KMSUnreachable):
            client.unwrap(ENTRY, CONTEXT, b"wrapped")
        assert time.monotonic() - started < BOUND_S
    assert b"secret" not in host.received


def test_an_answer_outside_tls_is_a_wrong_peer(world: World) -> None:
    plain = http_answer(json.dumps(answer_with()).encode())

    def talk(connection: socket.socket, host: Host) -> None:
        connection.sendall(plain)
        keep_everything(connection, host)

    client = world.client(ATTEMPT_S)
    with serve(world.socket, talk, None), pytest.raises(KMSUnreachable, match="TLS"):
        client.unwrap(ENTRY, CONTEXT, b"wrapped")


@pytest.mark.parametrize("accept", [b"", b"O", b"NO\n", b"ok\n", b"\0\0\0"])
def test_a_proxy_that_does_not_accept_is_unreachable(world: World, accept: bytes) -> None:
    with world.host(keep_everything, accept=accept), pytest.raises(KMSUnreachable):
        world.unwrap(ATTEMPT_S)


def test_a_dead_proxy_is_unreachable(world: World) -> None:
    with pytest.raises(KMSUnreachable):
        world.unwrap()


def endless(start: bytes, piece: bytes) -> Talk:
    def talk(connection: socket.socket, host: Host) -> None:
        read_request(connection, host)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + start)
        while not host.over.is_set():
            connection.sendall(piece)

    return talk


CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
HUGE: dict[str, tuple[Talk, type[EnclaveError]]] = {
    "a huge body": (endless(b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536), KMSRefused),
    "chunks for ever": (endless(b"Transfer-Encoding: chunked\r\n\r\n", CHUNK), KMSRefused),
    "a body without an end": (endless(b"Connection: close\r\n\r\n", b"x" * 65536), KMSRefused),
    "a chunk of a negative size": (endless(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536), KMSRefused),
    "fields for ever": (endless(b"", b"X: " + b"y" * 60_000 + b"\r\n"), KMSRefused),
    "a line for ever": (endless(b"X: ", b"x" * 65536), KMSUnreachable),
}


@pytest.mark.parametrize("fault", HUGE)
def test_a_huge_answer_is_not_read(world: World, fault: str) -> None:
    talk, kind = HUGE[fault]
    with world.host(talk), pytest.raises(kind):
        world.unwrap()


def test_an_answer_at_the_limit_is_read(world: World) -> None:
    for extra, error in ((0, None), (1, KMSRefused)):
        answer = json.dumps(answer_with()).encode()
        with world.host(saying(http_answer(answer + b" " * (MAX_ANSWER_BYTES - len(answer) + extra)))):
            if error is None:
                assert world.unwrap() == DATA_KEY
            else:
                with pytest.raises(error):
                    world.unwrap()


DEEP = 100_000
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "a text": b'"KeyId"',
    "a number": b"1",
    "null": b"null",
    "too deep": b"[" * DEEP + b"]" * DEEP,
    "a long number": b'{"KeyId": ' + b"9" * 10_000 + b"}",
    "twisted types": b'{"KeyId": {}, "Plaintext": [], "CiphertextForRecipient": 1}',
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("fault", GARBAGE)
def test_garbage_is_refused(world: World, fault: str, status: int) -> None:
    with world.host(saying(http_answer(GARBAGE[fault], status))) as host, pytest.raises(KMSRefused):
        world.unwrap()
    assert host.operations == ["Decrypt"]


@pytest.mark.parametrize("code", ["[]", '["x"]', "{}", '{"x": 1}', "1", "null", '"x:y#z"', '"' + "x" * 10_000 + '"'])
def test_a_twisted_error_is_refused(world: World, code: str) -> None:
    body = b'{"__type": ' + code.encode() + b', "message": "CANARY"}'
    with world.host(saying(http_answer(body, 400))), pytest.raises(KMSRefused) as caught:
        world.unwrap()
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("length", [1500, io.DEFAULT_BUFFER_SIZE])
@pytest.mark.parametrize("apart", [False, True])
def test_what_came_before_a_request_is_not_its_answer(world: World, length: int, apart: bool) -> None:
    """Wherever the second answer waits: in http.client's buffer, in OpenSSL's, in the kernel's."""
    body = json.dumps(answer_with()).encode()
    first = http_answer(body, 200, "X: " + "y" * (length - len(http_answer(body, 200, "X: "))))
    assert len(first) == length
    second = http_answer(json.dumps(answer_with(KeyId="x")).encode())

    def talk(connection: socket.socket, host: Host) -> None:
        while True:
            read_request(connection, host)
            for piece in (first, second) if apart else (first + second,):
                connection.sendall(piece)

    with world.host(talk):
        client = world.client()
        for _ in range(3):
            assert client.unwrap(ENTRY, CONTEXT, b"wrapped") == DATA_KEY
            time.sleep(0.05)


def test_a_request_for_another_host_is_not_sent(world: World) -> None:
    with world.host(keep_everything) as host:
        client = world.client()
        request = type("Request", (), {"url": "https://kms.eu-west-1.amazonaws.com/"})
        for url in ("https://kms.eu-west-1.amazonaws.com/", "http://kms.us-east-1.amazonaws.com/", "https://x@y/"):
            request.url = url  # type: ignore[attr-defined]  # as botocore's has
            with pytest.raises(KMSRefused, match="another host"):
                client._https.send(request)
    assert host.destinations == []


def test_nested_ber_is_one_more_bad_envelope(world: World) -> None:
    nested = base64.b64encode(b"\x30\x80" * 8000).decode()
    answer = answer_with(CiphertextForRecipient=nested)
    with world.lies(lambda operation, members: (200, answer)), pytest.raises(KMSRefused) as caught:
        world.unwrap()
    assert caught.value.code == "kms-bad-envelope"
