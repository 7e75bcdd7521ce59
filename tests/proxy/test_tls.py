"""TLS through the proxy, ended as TLS wants it: close_notify one way, what is still to come and close_notify back."""

import asyncio
import datetime
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.counters import Outcome
from strongroom.transport.sockets import dial
from tests.proxy.bench import KMS, LINE, bench, pinned

BODY = bytes(range(256)) * 8192
TIMEOUT_S = 10.0


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, KMS)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(KMS)]), critical=False)
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


def answer_and_end(listener: socket.socket, context: ssl.SSLContext) -> bytes:
    """Serve one connection: a request, an answer, close_notify; then give what comes after the peer's own."""
    connection, _ = listener.accept()
    connection.settimeout(TIMEOUT_S)
    with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as tls:
        assert tls.recv(7) == b"request"
        tls.sendall(BODY)
        with tls.unwrap() as plain:
            return plain.recv(1)


def ask_and_end(connection: socket.socket, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    """The answer up to close_notify, and what comes after it."""
    connection.settimeout(TIMEOUT_S)
    with context.wrap_socket(connection, server_hostname=KMS, suppress_ragged_eofs=False) as tls:
        tls.sendall(b"request")
        body = b""
        while part := tls.recv(1 << 16):
            body += part
        with tls.unwrap() as plain:
            plain.shutdown(socket.SHUT_WR)
            return body, plain.recv(1)


async def test_tls_ends_cleanly_on_both_sides(tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        async with bench(tmp_path, pinned(listener.getsockname()[1])) as at:
            served = asyncio.create_task(asyncio.to_thread(answer_and_end, listener, server))

            def ask() -> tuple[bytes, bytes]:
                connection = dial(at.address, TIMEOUT_S)
                connection.sendall(LINE)
                assert connection.recv(3) == b"OK\n"
                return ask_and_end(connection, client)

            assert await asyncio.to_thread(ask) == (BODY, b"")
            assert await served == b""
            await at.outcome(Outcome.COMPLETED)
