"""Steps that the cryptographic operations share: which key, may it be used, how is the result disclosed or sealed."""

from base64 import b64encode

from moto.kms.models import Key

from strongroom.simulator.kms import blob as blobs
from strongroom.simulator.kms.authorization import authorize
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.request import Answer, Request

SYMMETRIC = "SYMMETRIC_DEFAULT"


def key_for_sealing(backend: Backend, request: Request) -> Key:
    """The symmetric key that `KeyId` names, authorized for the request and usable. Raises `KMSError`."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key, context=request.encryption_context())
    check_usable(key, spec=SYMMETRIC)
    return key


def check_usable(key: Key, *, spec: str | None = None, usage: str | None = None) -> None:
    """Refuse a key that is disabled, waits for deletion, or has another spec or usage. Raises `KMSError`."""
    if key.key_state == "Disabled":
        raise KMSError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise KMSError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if spec not in (None, key.key_spec) or usage not in (None, key.key_usage):
        raise KMSError("InvalidKeyUsageException", f"{key.arn} key usage or spec is not valid for this operation.")


def check_dry_run(request: Request) -> None:
    """A dry run ends here, where everything was checked. Raises `KMSError`."""
    if request.flag("DryRun"):
        raise KMSError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def sealed(key: Key, plaintext: bytes, request: Request) -> str:
    """`plaintext` under `key` and the request's encryption context, in base64."""
    context = request.encryption_context()
    return base64(blobs.seal(plaintext, key_arn=key.arn, material=key.key_material, context=context))


def disclosed(request: Request, plaintext: bytes, *, member: str = "Plaintext") -> Answer:
    """`plaintext` for whoever asked: sealed to an enclave that is the recipient, else in the clear as `member`."""
    if request.recipient is not None:
        return {"CiphertextForRecipient": request.recipient.seal(plaintext)}
    return {member: base64(plaintext)}


def base64(octets: bytes) -> str:
    """As AWS's JSON protocol carries bytes."""
    return b64encode(octets).decode()
