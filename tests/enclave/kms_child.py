"""An enclave's KMS client in a process of its own: `python -m tests.enclave.kms_child FOLDER [--loud]`.

It hardens itself as the image does (`--loud`: it does not, and logs everything), unwraps one data key with the
credentials in FOLDER/credentials.json through FOLDER/proxy.sock, and ends with whatever was raised.
"""

import logging
import sys
from pathlib import Path

from enclave.hardening import clear_environment, silence


def main() -> None:
    """Unwrap once; print the digest of the data key."""
    folder = Path(sys.argv[1])
    if "--loud" in sys.argv:
        logging.basicConfig(level=logging.DEBUG)
    else:
        clear_environment()
        silence()
    from hashlib import sha256

    from enclave.kms.credentials import PushedCredentials
    from tests.enclave.kms_world import CONTEXT, ENTRY, World

    world = World(folder)
    world.provider.push(PushedCredentials.from_bytes((folder / "credentials.json").read_bytes()))
    client = world.client(attempt_s=0.5)
    try:
        print("unwrapped", sha256(client.unwrap(ENTRY, CONTEXT, b"wrapped")).hexdigest())
    except Exception as error:
        logging.getLogger(__name__).exception("failed")
        print(f"{type(error).__name__}: {error}")
        raise
    finally:
        client.close()


if __name__ == "__main__":
    main()
