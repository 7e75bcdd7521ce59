"""The enclave's own KMS client, in the tree: `python -m tests.hybrid.unwrap FOLDER` prints one line of JSON.

It hardens itself as the image does, and unwraps one data key through FOLDER/proxy.sock with the measured default: no
classical key exchange.
"""

import json
import sys
from pathlib import Path

from enclave.errors import EnclaveError
from enclave.hardening import clear_environment


def main() -> None:
    """Unwrap once."""
    clear_environment()
    # Only now: hashlib alone is enough to have OpenSSL read its configuration.
    from hashlib import sha256

    from enclave.clock import Clock
    from enclave.evidence import Evidence
    from enclave.kms.client import KMSClient
    from strongroom.protocol.configuration import KMSSettings
    from strongroom.transport.addresses import UnixAddress
    from tests.enclave.deployment import new_nsm
    from tests.enclave.kms_world import CONTEXT, ENTRY, KEYS, REGION, World

    world, nsm = World(Path(sys.argv[1])), new_nsm()
    settings = KMSSettings(runtime_role="arn:aws:iam::000000000000:role/parent", ca_pem=world.ca_pem)
    evidence = Evidence(nsm, KEYS, Clock(nsm.attest()))
    client = KMSClient(UnixAddress(world.socket), settings, REGION, world.provider, evidence=evidence, keys=KEYS)
    said: dict[str, str] = {"leg": client.leg.word}
    try:
        said["data_key"] = sha256(client.unwrap(ENTRY, CONTEXT, b"wrapped")).hexdigest()
    except EnclaveError as error:
        said["error"] = error.code
    client.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main()
