"""A client that was built wrongly sends no prompt to anybody."""

from collections.abc import Iterator

import httpx2
import openai
import pytest

from strongroom.client.endpoint.transports import BASE_URL, Transport
from tests.client.endpoint.conftest import NewSession
from tests.client.endpoint.proxying import Proxy, proxied

SECRET = "canary in the coal mine"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxied(monkeypatch) as proxy:
        yield proxy


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
