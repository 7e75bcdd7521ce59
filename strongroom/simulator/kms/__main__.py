"""`python -m strongroom.simulator.kms`: the dev KMS as a process of its own."""

import argparse
from pathlib import Path

from strongroom.simulator.kms.server import serve


def main() -> None:
    """Parse the command line and serve until the process is told to stop."""
    parser = argparse.ArgumentParser(prog="strongroom.simulator.kms", description="A dev KMS that checks attestation.")
    parser.add_argument("--state", type=Path, required=True, help="state folder: PKI, TLS CA, credentials.json")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--tls", action="store_true", help="speak TLS under the CA in STATE/tls/ca.pem")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--account", default="000000000000")
    arguments = parser.parse_args()
    serve(arguments.state, arguments.port, tls=arguments.tls, region=arguments.region, account=arguments.account)


if __name__ == "__main__":
    main()
