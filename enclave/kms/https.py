"""HTTPS to KMS's host, for boto3: attached by its public event `before-send`.

botocore's own session is not used: it takes proxies, CA files and key logs from the environment, has no deadline for
a whole answer, and reads as much as the peer likes to send.
"""

import http.client
import select
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError

from enclave.errors import KMSRefused, KMSUnreachable
from enclave.kms.egress import TimedTLSSocket, dial_through
from strongroom.transport.addresses import Address

ATTEMPT_S: Final = 10.0
"""One attempt has this long in all: connect, handshake, request and answer."""
MAX_ANSWER_BYTES: Final = 1 << 20
"""Above every answer of KMS: the longest holds a key policy of 32 KiB, or the first page of grants."""
RETRY_S: Final = 1.0
"""KMS is tried again after this long at the earliest, by whoever asks and whatever for."""
_MAX_IDLE: Final = 4
_MAX_RECEIVED_BYTES: Final = 2 * MAX_ANSWER_BYTES  # with status lines, fields and the marks between chunks


@dataclass(frozen=True)
class _Body:
    """The bytes of an answer, in the form in which botocore asks for them."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


class _Connection(http.client.HTTPConnection):
    """HTTP/1.1 inside TLS to one host, through the proxy."""

    default_port = 443
    sock: Any  # the TimedTLSSocket that the context makes

    def __init__(self, proxy: Address, host: str, context: ssl.SSLContext) -> None:
        super().__init__(host)
        self._proxy, self._context = proxy, context
        self._written = bytearray()
        self.reusable = False

    def open(self, deadline_at: float) -> None:
        """Connect and shake hands; raise OSError, ssl.SSLError included."""
        raw = dial_through(self._proxy, self.host, self.port, deadline_at)
        # An end without close_notify is an error, and not the end of an answer.
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host, suppress_ragged_eofs=False)

    def send(self, data: Any) -> None:
        """Collect the request: its head and its body leave in one piece."""
        self._written += data

    def exchange(self, request: Any, deadline_at: float) -> AWSResponse:
        """Send a prepared request of botocore, read its answer; raise OSError, HTTPException or KMSRefused."""
        self.sock.deadline_at, self.sock.bytes_left = deadline_at, _MAX_RECEIVED_BYTES
        self._written.clear()
        self.request(request.method, urlsplit(request.url).path or "/", request.body, dict(request.headers.items()))
        self.sock.sendall(self._written)
        with self.getresponse() as response:
            body = response.read(MAX_ANSWER_BYTES + 1)
        if len(body) > MAX_ANSWER_BYTES:
            raise KMSRefused("kms-bad-answer", f"KMS: expected an answer of at most {MAX_ANSWER_BYTES} bytes, got more")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        self.reusable = not response.will_close
        headers: Any = dict(response.headers.items())
        return AWSResponse(request.url, response.status, headers, _Body(body))

    def is_quiet(self) -> bool:
        """Whether the peer has sent nothing, not even an end, since the last answer."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not self.sock.pending() and not poll.poll(0)


class ProxiedHTTPS:
    """Sends botocore's requests to one host. It follows no redirect, keeps no cookie, reads no environment."""

    def __init__(
        self,
        proxy: Address,
        host: str,
        context: ssl.SSLContext,
        attempt_s: float = ATTEMPT_S,
        retry_s: float = RETRY_S,
    ) -> None:
        context.sslsocket_class = TimedTLSSocket
        self._proxy, self._host, self._context = proxy, host, context
        self._attempt_s, self._retry_s = attempt_s, retry_s
        self._idle: deque[_Connection] = deque()
        self._again_at = 0.0
        self._turn = threading.Lock()

    def attach(self, client: Any) -> None:
        """Make a boto3 client send through this session alone, and pause before it signs a retry."""
        events, service = client.meta.events, client.meta.service_model.service_name
        events.register_first(f"request-created.{service}", lambda request, **_: self._pause(request))
        events.register_first(f"before-send.{service}", lambda request, **_: self.send(request))

    def send(self, request: Any) -> AWSResponse:
        """One attempt at a prepared request of botocore.

        Raises HTTPClientError for what botocore may try again, KMSUnreachable for a wrong peer and in the second after
        an attempt without an answer, and KMSRefused for an answer beyond its bound.
        """
        target = urlsplit(request.url)
        if (target.scheme, target.netloc) != ("https", self._host):
            raise KMSRefused("kms-wrong-host", f"KMS: expected a request to {self._host}, got one to another host")
        if time.monotonic() < self._again_at:
            raise KMSUnreachable("KMS: expected an answer, got none a moment ago; try again in a second")
        try:
            return self._attempt(request, time.monotonic() + self._attempt_s)
        except (OSError, http.client.HTTPException) as error:
            self._rest()
            raise HTTPClientError(error=type(error).__name__) from None
        except KMSUnreachable:
            self._rest()
            raise

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _rest(self) -> None:
        self._again_at = time.monotonic() + self._retry_s

    def _pause(self, request: Any) -> None:
        if request.context["retries"]["attempt"] > 1:
            with self._turn:  # of all the calls under way, one is tried again at a time
                time.sleep(self._retry_s)

    def _attempt(self, request: Any, deadline_at: float) -> AWSResponse:
        connection = self._quiet_connection() or self._new_connection(deadline_at)
        try:
            answer = connection.exchange(request, deadline_at)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    def _quiet_connection(self) -> _Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()

    def _new_connection(self, deadline_at: float) -> _Connection:
        connection = _Connection(self._proxy, self._host, self._context)
        try:
            connection.open(deadline_at)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise  # the peer went away, which says nothing about who it was
        except ssl.SSLError:
            raise KMSUnreachable("TLS to KMS: expected KMS's certificate and parameters, got others") from None
        return connection

    def _give_back(self, connection: _Connection) -> None:
        if connection.reusable and len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
