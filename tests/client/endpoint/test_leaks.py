"""A client that was built wrongly sends no prompt to anybody."""

import re
import socket
import threading
from collections.abc import Iterator

import httpx2
import openai
import pytest

from strongroom.client.endpoint.transports import BASE_URL, Transport
from tests.client.endpoint.conftest import NewSession

SECRET = "canary in the coal mine"


class Proxy:
    """A proxy that takes whatever it is sent, and answers 502."""

    def __init__(self) -> None:
        self.received = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                head = b"".join(iter(reader.readline, b"\r\n"))
                length = re.search(rb"content-length: (\d+)", head.lower())
                self.received += head + reader.read(int(length[1]) if length else 0)
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv(name.lower(), proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield proxy
    proxy.close()


def ask(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": SECRET}])


def test_without_the_transport_a_proxy_sees_a_name_and_no_prompt(proxy: Proxy) -> None:
    client = openai.OpenAI(base_url=BASE_URL, api_key="none", max_retries=0)
    with client, pytest.raises(openai.APIConnectionError):
        ask(client)
    assert proxy.received.startswith(b"CONNECT strongroom.invalid:443 ")
    assert SECRET.encode() not in proxy.received


def test_the_control_in_plain_http_that_proxy_would_see_the_prompt(proxy: Proxy) -> None:
    client = openai.OpenAI(base_url=BASE_URL.replace("https", "http"), api_key="none", max_retries=0)
    with client, pytest.raises(openai.APIStatusError):
        ask(client)
    assert SECRET.encode() in proxy.received


def test_with_the_transport_no_proxy_is_asked(new_session: NewSession, proxy: Proxy) -> None:
    with openai.OpenAI(
        base_url=BASE_URL, api_key="none", http_client=httpx2.Client(transport=Transport(new_session()))
    ) as client:
        ask(client)
    assert proxy.received == b""
