import pytest

from strongroom.transport.egress import (
    MAX_DESTINATION_BYTES,
    encode_destination,
    parse_destination,
    split_destination,
)

KMS = "kms.eu-west-1.amazonaws.com"

NOT_DESTINATIONS = [
    "",
    KMS,
    f"{KMS}:",
    f"{KMS}:0",
    f"{KMS}:65536",
    f"{KMS}:0443",
    f"{KMS}:+443",
    f"{KMS}:443 ",
    f"{KMS}:443:443",
    f"{KMS}:٤٤٣",
    f"{KMS}.:443",
    f".{KMS}:443",
    f"kms..{KMS}:443",
    f"{KMS.upper()}:443",
    f" {KMS}:443",
    f"user@{KMS}:443",
    f"{KMS}/path:443",
    f"https://{KMS}:443",
    f"{KMS}%00:443",
    f"{KMS}\0:443",
    f"-{KMS}:443",
    f"{'a' * 64}.com:443",
    f"{'a.' * 127}com:443",
    "169.254.169.254:80",
    "127.0.0.1:443",
    "127.1:443",
    "2130706433:443",
    "0x7f000001:443",
    "0177.0.0.1:443",
    "10.0.0.0x1:443",
    "1.2.3.4.5:443",
    "[::1]:443",
    "::1:443",
    "[::ffff:169.254.169.254]:80",
    "fd00:ec2::254:80",
    "kms。eu:443",
    "kms_eu.example:443",
    ":443",
]


@pytest.mark.parametrize("text", NOT_DESTINATIONS)
def test_what_is_no_name_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^egress: expected "):
        split_destination(text)
    with pytest.raises(ValueError, match=r"^egress: expected "):
        parse_destination(f"CONNECT {text}\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"CONNECT \n",
        b"CONNECT kms.example:443",
        b"CONNECT kms.example:443\r\n",
        b"CONNECT  kms.example:443\n",
        b"connect kms.example:443\n",
        b"CONNECT kms.example:443 HTTP/1.1\n",
        b"CONNECT kms.example:443\nX",
        b"GET / HTTP/1.1\n",
        b"CONNECT " + b"a" * 300 + b":443\n",
        b"CONNECT kms.example\xff:443\n",
    ],
)
def test_lines_of_another_form_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^egress: expected "):
        parse_destination(line)


@pytest.mark.parametrize(
    ("host", "port"), [(KMS, 443), ("localhost", 1), ("a", 65535), ("xn--bcher-kva.example", 443), ("1.example", 8080)]
)
def test_a_destination_survives_the_line(host: str, port: int) -> None:
    line = encode_destination(host, port)
    assert line == f"CONNECT {host}:{port}\n".encode()
    assert parse_destination(line) == (host, port)


def test_the_longest_name_fits_the_line() -> None:
    host = ".".join(["a" * 61] * 4 + ["com"])
    assert len(encode_destination(host, 65535)) <= MAX_DESTINATION_BYTES


@pytest.mark.parametrize(("host", "port"), [("169.254.169.254", 80), (KMS, 0), (KMS, 65536), (KMS + "\nX", 443)])
def test_only_destinations_are_encoded(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"^egress: expected "):
        encode_destination(host, port)
