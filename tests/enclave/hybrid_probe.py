"""What TLS to KMS does on this machine's OpenSSL, in one line of JSON: `python -m tests.enclave.hybrid_probe …`.

It hardens the process as the image does, makes the enclave's own TLS context, and sends one request with the enclave's
own session through a proxy's UNIX socket. Pure Python: beside ours it needs botocore and what botocore needs.
Exit code 0 when the peer answered, 1 when it was refused or silent, 70 when the enclave would not boot.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from enclave.errors import BootRefused, EnclaveError
from enclave.hardening import clear_environment


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proxy", required=True, help="address of the proxy, unix:PATH")
    parser.add_argument("--host", default="kms.us-east-1.amazonaws.com")
    parser.add_argument("--ca", type=Path, required=True, help="PEM file of the roots")
    parser.add_argument("--classical", action="store_true", help="as [kms] classical = true")
    parser.add_argument("--no-configuration", action="store_true", help="leave OPENSSL_CONF out: what the file is for")
    return parser.parse_args()


def main() -> int:
    """Probe once."""
    arguments = _arguments()
    clear_environment()
    if arguments.no_configuration:
        del os.environ["OPENSSL_CONF"]
    said: dict[str, Any] = {}
    try:
        _probe(arguments, said)
    except BootRefused as refused:
        return _say(said, 70, refused=refused.code, message=str(refused))
    except EnclaveError as error:
        return _say(said, 1, error=error.code, message=str(error))
    except Exception as error:
        return _say(said, 1, error=type(error).__name__)
    return _say(said, 0)


def _probe(arguments: argparse.Namespace, said: dict[str, Any]) -> None:
    # Only now, as in the image: OpenSSL reads its configuration when ssl is imported.
    import ssl

    from botocore.awsrequest import AWSRequest

    from enclave.kms.https import ProxiedHTTPS
    from enclave.kms.tls import KMSTLS, offer_of
    from strongroom.transport.addresses import parse_address

    said["openssl"] = ssl.OPENSSL_VERSION
    tls = KMSTLS.open(arguments.ca.read_text(), classical=arguments.classical)
    offer = offer_of(tls.context)
    said["leg"] = tls.leg.word
    said["groups"], said["key_shares"] = [[f"{group:#06x}" for group in of] for of in (offer.groups, offer.key_shares)]
    session = ProxiedHTTPS(parse_address(arguments.proxy), arguments.host, tls.context)
    answer = session.send(AWSRequest("POST", f"https://{arguments.host}/", data=b"{}").prepare())
    said["status"] = answer.status_code
    session.close()


def _say(said: dict[str, Any], code: int, **more: str) -> int:
    print(json.dumps({**said, **more}))
    return code


if __name__ == "__main__":
    sys.exit(main())
