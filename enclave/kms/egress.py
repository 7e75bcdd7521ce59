"""HTTPS from inside the enclave: TLS ends here, the bytes leave through the proxy (boto3's public `before-send`)."""

import socket
from typing import Any

import botocore.awsrequest as awsrequest
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import NewConnectionError

from strongroom.transport.addresses import Address
from strongroom.transport.egress import ACCEPTED, encode_destination
from strongroom.transport.sockets import dial

_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 10.0
_MAX_CONNECTIONS = 4


def dial_through(proxy: Address, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to host:port through the proxy; raise OSError when it refuses or is silent."""
    connection = dial(proxy, timeout_s)
    try:
        connection.sendall(encode_destination(host, port))
        if _receive_exactly(connection, len(ACCEPTED)) != ACCEPTED:
            raise ConnectionRefusedError("the proxy refused the destination")
    except OSError:
        connection.close()
        raise
    return connection


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            break
        received += piece
    return received


def https_session(proxy: Address, ca_file: str) -> Any:
    """A botocore HTTP session whose connections go through the proxy; host name and CA are checked in here."""

    class ProxiedConnection(awsrequest.AWSHTTPSConnection):
        def _new_conn(self) -> socket.socket:
            try:
                return dial_through(proxy, self.host, self.port, _CONNECT_TIMEOUT_S)
            except OSError as error:
                raise NewConnectionError(self, "the proxy gave no connection") from error

    class ProxiedPool(awsrequest.AWSHTTPSConnectionPool):
        ConnectionCls = ProxiedConnection

    # Its stubs know neither a path for `verify` nor a pair of time-outs, which its documentation gives.
    make: Any = URLLib3Session
    session = make(verify=ca_file, timeout=(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S), max_pool_connections=_MAX_CONNECTIONS)
    session._manager.pool_classes_by_scheme = {"https": ProxiedPool}
    return session


def attach(client: Any, session: Any) -> None:
    """Make a boto3 client send through that session; errors in it take botocore's ordinary retry path."""
    service = client.meta.service_model.service_name
    client.meta.events.register_first(f"before-send.{service}", lambda request, **_: session.send(request))
